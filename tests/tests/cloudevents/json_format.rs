//! JSON format, sections 2 and 3: the envelope and its data.

use bytes::Bytes;
use openfaas_cloudevents::http::encode_binary;
use openfaas_cloudevents::{AttributeValue, Data, Error, Event, Problem, json};

use crate::support::{from_json, with_members};

/// The same event after somebody changed it, so that it has to be written anew.
fn rewritten(event: &Event) -> String {
    let mut event = event.clone();
    event.set_attribute("touched", true).unwrap();
    String::from_utf8(json::encode(&event).unwrap().to_vec()).unwrap()
}

#[test]
fn data_of_a_json_type_is_kept_as_the_text_it_is() {
    for media_type in [
        "application/json",
        "text/json",
        "application/vnd.x+json; charset=utf-8",
        "Application/JSON",
    ] {
        for data in [
            r#"{ "a" : 1.50, "b":[true , null] }"#,
            "1e400",
            "\"a string\"",
            "null",
            "[]",
        ] {
            let event = from_json(&with_members(&format!(
                r#","datacontenttype":"{media_type}","data":{data}"#
            )))
            .unwrap();
            assert_eq!(event.data().bytes(), data);
            assert!(
                rewritten(&event).ends_with(&format!(r#""data":{data}}}"#)),
                "{media_type}"
            );
        }
    }
}

#[test]
fn without_a_media_type_data_is_json_and_says_so_elsewhere() {
    let event = from_json(&with_members(r#","data":"I'm just a string""#)).unwrap();
    assert_eq!(event.datacontenttype(), None);
    let (headers, body) = encode_binary(&event).unwrap();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(body, r#""I'm just a string""#);
}

#[test]
fn without_a_media_type_base64_is_bytes_and_stays_so() {
    let event = from_json(&with_members(r#","data_base64":"eyAieHl6IjogMTIzIH0=""#)).unwrap();
    assert_eq!(event.data().bytes(), r#"{ "xyz": 123 }"#);
    let (headers, body) = encode_binary(&event).unwrap();
    assert!(!headers.contains_key("content-type"));
    assert_eq!(body, r#"{ "xyz": 123 }"#);
    assert!(rewritten(&event).ends_with(r#""data_base64":"eyAieHl6IjogMTIzIH0="}"#));
}

#[test]
fn base64_stays_base64_also_where_the_media_type_is_json() {
    let event = from_json(&with_members(
        r#","datacontenttype":"application/json","data_base64":"e30=""#,
    ))
    .unwrap();
    assert_eq!(event.data().bytes(), "{}");
    assert!(rewritten(&event).ends_with(r#""data_base64":"e30="}"#));
}

#[test]
fn a_json_string_is_not_read_a_second_time() {
    let event = from_json(&with_members(
        r#","datacontenttype":"application/json","data":"{\"a\":1}""#,
    ))
    .unwrap();
    assert_eq!(event.parse::<String>().unwrap().into_data(), r#"{"a":1}"#);
    assert!(
        event
            .parse::<serde_json::Map<String, serde_json::Value>>()
            .is_err()
    );
}

#[test]
fn text_of_another_type_is_the_string_itself() {
    let event = from_json(&with_members(
        r#","datacontenttype":"application/xml","data":"<much wow=\"xml\"/>""#,
    ))
    .unwrap();
    let (headers, body) = encode_binary(&event).unwrap();
    assert_eq!(headers["content-type"], "application/xml");
    assert_eq!(body, r#"<much wow="xml"/>"#);
    assert!(rewritten(&event).ends_with(r#""data":"<much wow=\"xml\"/>"}"#));
}

#[test]
fn data_of_another_type_has_to_be_a_string() {
    for data in ["{}", "1", "null", "[\"a\"]"] {
        let error = from_json(&with_members(&format!(
            r#","datacontenttype":"text/plain","data":{data}"#
        )));
        assert_eq!(error, Err(Error::DataNotText), "{data}");
    }
}

#[test]
fn the_media_type_is_known_wherever_it_stands() {
    let event = from_json(
        r#"{"data":"x","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","specversion":"1.0"}"#,
    );
    assert_eq!(event.unwrap().data().bytes(), "x");
}

#[test]
fn null_data_is_data_and_null_base64_is_none() {
    let null = from_json(&with_members(r#","data":null"#)).unwrap();
    assert!(!null.data().is_absent());
    assert!(rewritten(&null).ends_with(r#""data":null}"#));
    let absent = from_json(&with_members(r#","data_base64":null"#)).unwrap();
    assert!(absent.data().is_absent());
    assert!(!rewritten(&absent).contains("data"));
}

#[test]
fn data_and_base64_exclude_each_other() {
    for members in [
        r#","data":"a","data_base64":"YQ==""#,
        r#","data_base64":"YQ==","data":null"#,
    ] {
        assert_eq!(from_json(&with_members(members)), Err(Error::BothData));
    }
}

#[test]
fn base64_has_to_be_base64() {
    for bad in [
        r#""YQ""#,
        r#""Y===""#,
        r#""YQ==\n""#,
        r#""Y-_=""#,
        "7",
        "{}",
    ] {
        let error = from_json(&with_members(&format!(r#","data_base64":{bad}"#)));
        assert_eq!(error, Err(Error::Base64), "{bad}");
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    for (members, name) in [
        (r#","id":"2""#, "id"),
        (r#","mine":1,"mine":1"#, "mine"),
        (r#","data":1,"data":1"#, "data"),
        (
            r#","data_base64":"YQ==","data_base64":"YQ==""#,
            "data_base64",
        ),
    ] {
        assert_eq!(
            from_json(&with_members(members)),
            Err(Error::Duplicate(name.into()))
        );
    }
}

#[test]
fn an_extension_is_a_string_an_integer_or_a_boolean() {
    let event = from_json(&with_members(r#","s":"x","i":-7,"b":false"#)).unwrap();
    assert_eq!(
        event.attribute("s"),
        Some(&AttributeValue::String("x".into()))
    );
    assert_eq!(event.attribute("i"), Some(&AttributeValue::Integer(-7)));
    assert_eq!(event.attribute("b"), Some(&AttributeValue::Boolean(false)));
    for value in ["{}", "[1]", r#"{"a":{"b":[]}}"#] {
        let error = from_json(&with_members(&format!(r#","mine":{value}"#)));
        assert_eq!(
            error,
            Err(Error::Attribute {
                name: "mine".into(),
                problem: Problem::Structure
            })
        );
    }
}

#[test]
fn core_attributes_are_strings() {
    for name in ["id", "subject", "type", "source", "time"] {
        let object = with_members("").replace(&format!(r#","{name}":"1""#), "");
        let object = object.replace(
            r#""specversion":"1.0""#,
            &format!(r#""specversion":"1.0","{name}":25"#),
        );
        let error = from_json(&object).unwrap_err();
        assert_eq!(
            error,
            Error::Attribute {
                name: name.into(),
                problem: Problem::NotText
            }
        );
    }
}

#[test]
fn an_envelope_as_deep_as_the_body_allows_is_read_or_refused_without_harm() {
    let deep = "[".repeat(200_000);
    assert!(from_json(&with_members(&format!(r#","data":{deep}"#))).is_err());
    assert!(from_json(&with_members(&format!(r#","mine":{deep}"#))).is_err());
    let closed = deep.clone() + &"]".repeat(200_000);
    let event = from_json(&with_members(&format!(r#","data":{closed}"#))).unwrap();
    assert!(
        event.parse::<serde_json::Value>().is_err(),
        "serde_json reads 128 levels"
    );
}

#[test]
fn data_is_a_slice_of_the_body() {
    for members in [
        r#","data":{"a":1}"#,
        r#","datacontenttype":"text/plain","data":"plain""#,
    ] {
        let body = Bytes::from(with_members(members));
        let range = body.as_ptr_range();
        let event = json::decode(body.clone()).unwrap();
        assert!(range.contains(&event.data().bytes().as_ptr()), "{members}");
    }
}

#[test]
fn bytes_that_are_not_what_they_are_declared_to_be_are_written_as_base64() {
    let event = |data: Data, media_type: &str| {
        let event = Event::new("t", data)
            .with_id("1")
            .with_source("/s")
            .with_datacontenttype(media_type);
        String::from_utf8(json::encode(&event).unwrap().to_vec()).unwrap()
    };
    for (data, media_type) in [
        (Data::opaque("{broken"), "application/json"),
        (Data::json("{broken"), "application/json"),
        (Data::opaque(vec![0xff]), "text/plain"),
        (Data::opaque("caf\u{e9}"), "text/plain; charset=iso-8859-1"),
        (Data::opaque("x"), "application/octet-stream"),
        (Data::binary("x"), "text/plain"),
    ] {
        let written = event(data.clone(), media_type);
        assert!(written.contains("data_base64"), "{written}");
        assert_eq!(json::decode(written.into()).unwrap().data(), &data);
    }
    assert!(event(Data::opaque("plain"), "text/plain").contains(r#""data":"plain""#));
    assert!(event(Data::opaque(" [1] "), "application/json").contains(r#""data": [1] }"#));
}

#[test]
fn text_without_a_media_type_gets_one() {
    let event = Event::new("t", Data::text("plain"))
        .with_id("1")
        .with_source("/s");
    let structured = json::decode(json::encode(&event).unwrap()).unwrap();
    assert_eq!(
        structured.datacontenttype(),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(structured.data(), &Data::text("plain"));
    assert_eq!(
        encode_binary(&event).unwrap().0["content-type"],
        "text/plain; charset=utf-8"
    );
}
