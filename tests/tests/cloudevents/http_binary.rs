//! HTTP binding, section 3.1: binary mode.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use openfaas_cloudevents::http::{Message, decode, encode_binary};
use openfaas_cloudevents::{AttributeValue, Data, Error, Event, Limits, Problem};

use crate::support::{event, headers, minimal_and, refusal, texts};

#[test]
fn attributes_are_headers_and_the_media_type_is_the_content_type() {
    let event = event(
        &headers(&[
            ("ce-specversion", "1.0"),
            ("ce-type", "com.example.someevent"),
            ("ce-time", "2018-04-05T03:56:24Z"),
            ("ce-id", "1234-1234-1234"),
            ("ce-source", "/mycontext/subcontext"),
            ("content-type", "application/json; charset=utf-8"),
        ]),
        r#"{"message": "Hello"}"#,
    );
    assert_eq!(event.id(), "1234-1234-1234");
    assert_eq!(event.source(), "/mycontext/subcontext");
    assert_eq!(event.ty(), "com.example.someevent");
    assert_eq!(event.time(), Some("2018-04-05T03:56:24Z"));
    assert_eq!(
        event.attribute("source"),
        Some(&AttributeValue::UriReference(
            "/mycontext/subcontext".into()
        ))
    );
    assert_eq!(
        event.datacontenttype(),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(event.data().bytes(), r#"{"message": "Hello"}"#);
}

#[test]
fn ce_datacontenttype_is_refused_and_never_written() {
    let twice = minimal_and(&[("ce-datacontenttype", "text/plain")]);
    assert_eq!(refusal(&twice, ""), Error::ContentTypeTwice);
    let event = event(&minimal_and(&[("content-type", "text/plain")]), "x");
    let (headers, _) = encode_binary(&event).unwrap();
    assert!(!headers.contains_key("ce-datacontenttype"));
    assert_eq!(headers[CONTENT_TYPE], "text/plain");
}

#[test]
fn header_names_are_read_in_any_case() {
    let event = event(
        &minimal_and(&[("CE-Subject", "x"), ("Content-Type", "text/plain")]),
        "",
    );
    assert_eq!(event.subject(), Some("x"));
}

#[test]
fn values_are_percent_encoded_and_decoded_by_the_rules() {
    for (header, text) in [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("needless%41", "needlessA"),
        ("%2541", "%41"),
        ("100%", "100%"),
        ("%zz%4", "%zz%4"),
        ("two words", "two words"),
        (r#""two \"quoted\" words""#, r#"two "quoted" words"#),
        (r#""%20""#, " "),
        (r#"half "quoted""#, r#"half "quoted""#),
    ] {
        let event = event(&minimal_and(&[("ce-subject", header)]), "");
        assert_eq!(event.subject(), Some(text), "{header}");
    }
    let built = Event::new("t", Data::absent())
        .with_id("1")
        .with_source("/s");
    for (text, header) in [
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        ("100%", "100%25"),
        (r#"a"b"#, "a%22b"),
        (
            "!#$&'()*+,-./:;<=>?@[]^_`{|}~",
            "!#$&'()*+,-./:;<=>?@[]^_`{|}~",
        ),
    ] {
        let (headers, _) = encode_binary(&built.clone().with_subject(text)).unwrap();
        assert_eq!(headers["ce-subject"], header);
    }
}

#[test]
fn raw_utf8_from_senders_that_do_not_encode_is_taken() {
    let event = event(&minimal_and(&[("ce-subject", "Euro €".as_bytes())]), "");
    assert_eq!(event.subject(), Some("Euro €"));
    let (headers, _) = encode_binary(&event).unwrap();
    assert_eq!(headers["ce-subject"], "Euro%20%E2%82%AC");
}

#[test]
fn what_is_not_utf8_is_refused_encoded_or_raw() {
    for bad in [&b"%C0%A0"[..], b"%FF", b"%E2%82", b"\xc0\xa0"] {
        let error = refusal(&minimal_and(&[("ce-subject", bad)]), "");
        assert_eq!(
            error,
            Error::Attribute {
                name: "subject".into(),
                problem: Problem::Utf8
            }
        );
    }
}

#[test]
fn a_control_character_that_was_encoded_is_refused_all_the_same() {
    let error = refusal(&minimal_and(&[("ce-subject", "a%0D%0Ax")]), "");
    assert_eq!(
        error,
        Error::Attribute {
            name: "subject".into(),
            problem: Problem::Character(1)
        }
    );
}

#[test]
fn a_header_that_comes_twice_is_refused() {
    for name in ["ce-id", "ce-mine", "ce-specversion"] {
        let error = refusal(&minimal_and(&[(name, "1.0"), (name, "1.0")]), "");
        assert_eq!(error, Error::Duplicate(name[3..].into()));
    }
}

#[test]
fn the_names_data_and_those_with_punctuation_are_refused() {
    for name in ["ce-data", "ce-my-extension", "ce-my_extension", "ce-"] {
        let error = refusal(&minimal_and(&[(name, "x")]), "");
        assert!(matches!(error, Error::Name(_)), "{name}: {error}");
    }
}

#[test]
fn a_message_without_specversion_is_no_cloudevent() {
    let plain = headers(&[
        ("content-type", "text/plain"),
        ("ce-id", "1"),
        ("x-other", "y"),
    ]);
    assert_eq!(
        decode(&plain, Bytes::from("x"), &Limits::default()),
        Ok(Message::Other)
    );
    assert_eq!(
        decode(&headers::<&str>(&[]), Bytes::new(), &Limits::default()),
        Ok(Message::Other)
    );
}

#[test]
fn headers_that_are_no_attributes_are_left_alone() {
    let event = event(
        &minimal_and(&[("traceparent", "x"), ("cextra", "y"), ("x-ce-id", "z")]),
        "",
    );
    assert_eq!(event.attributes().count(), 4);
}

#[test]
fn an_empty_body_is_no_data_and_no_data_is_an_empty_body() {
    let event = event(&minimal_and(&[("content-type", "application/json")]), "");
    assert!(event.data().is_absent());
    let (headers, body) = encode_binary(&event).unwrap();
    assert!(body.is_empty());
    assert_eq!(headers[CONTENT_TYPE], "application/json");
}

#[test]
fn two_content_types_are_one_or_an_error() {
    let mut headers = minimal_and(&[("content-type", "text/plain")]);
    headers.append(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    assert_eq!(event(&headers, "x").datacontenttype(), Some("text/plain"));
    headers.append(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    assert_eq!(
        refusal(&headers, "x"),
        Error::Duplicate("content-type".into())
    );
}

#[test]
fn a_content_type_that_is_no_media_type_is_refused() {
    for bad in [&b"json"[..], b"text/plain; charset", b"text/caf\xe9"] {
        let error = refusal(&minimal_and(&[("content-type", bad)]), "x");
        assert_eq!(
            error,
            Error::Attribute {
                name: "datacontenttype".into(),
                problem: Problem::MediaType
            }
        );
    }
}

#[test]
fn data_without_a_media_type_is_bytes_and_stays_so() {
    let first = event(&minimal_and::<&str>(&[]), r#"{"looks":"like json"}"#);
    let text =
        String::from_utf8(openfaas_cloudevents::json::encode(&first).unwrap().to_vec()).unwrap();
    assert!(
        text.contains("data_base64") && !text.contains("datacontenttype"),
        "{text}"
    );
    let second = openfaas_cloudevents::json::decode(text.into()).unwrap();
    assert_eq!(second.data().bytes(), first.data().bytes());
    assert_eq!(texts(&second), texts(&first));
}

#[test]
fn the_body_is_handed_on_without_a_copy() {
    let body = Bytes::from(vec![b'x'; 1024]);
    let headers = minimal_and(&[("content-type", "text/plain")]);
    let event = event(&headers, body.clone());
    assert_eq!(event.data().bytes().as_ptr(), body.as_ptr());
    assert_eq!(encode_binary(&event).unwrap().1.as_ptr(), body.as_ptr());
}
