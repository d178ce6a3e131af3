//! What cloudevents-sdk 0.9 gets wrong, and the conversion to and from its type.

use cloudevents::AttributesReader as _;
use openfaas_cloudevents::http::{decode, encode_binary};
use openfaas_cloudevents::{Data, Error, Event, Limits, json, kafka};

use crate::support::{event, from_json, headers, minimal_and, refusal, with_members};

/// Whether the SDK reads this JSON as an event.
fn sdk_reads(text: &str) -> bool {
    serde_json::from_str::<cloudevents::Event>(text).is_ok()
}

#[test]
fn what_the_sdk_wrongly_accepts_is_refused() {
    let object = |name: &str, value: &str| {
        let text = with_members("");
        match ["id", "type", "source"].contains(&name) {
            true => {
                let at = text.find(&format!(r#""{name}":""#)).unwrap() + name.len() + 4;
                let end = at + text[at..].find('"').unwrap();
                format!("{}{value}{}", &text[..at], &text[end..])
            }
            false => with_members(&format!(r#","{name}":"{value}""#)),
        }
    };
    for (name, value) in [
        ("id", ""),
        ("type", ""),
        ("source", ""),
        ("subject", ""),
        ("datacontenttype", ""),
        ("datacontenttype", "xyz"),
        ("MyExtension", "bad"),
        ("my.extension", "bad"),
    ] {
        let text = object(name, value);
        assert!(
            sdk_reads(&text),
            "the SDK got better at {name}: this row can go"
        );
        assert!(from_json(&text).is_err(), "{text}");
    }
}

#[test]
fn percent_coding_is_done_that_the_sdk_leaves_out() {
    let encoded = minimal_and(&[("ce-subject", "two%20words")]);
    assert_eq!(event(&encoded, "").subject(), Some("two words"));
    let theirs = cloudevents::binding::http::to_event(&encoded, Vec::new()).unwrap();
    assert_eq!(
        theirs.subject(),
        Some("two%20words"),
        "the SDK got better: this row can go"
    );
    assert!(
        refusal(&minimal_and(&[("ce-subject", "%C0%A0")]), "")
            .to_string()
            .contains("UTF-8")
    );
    assert_eq!(
        event(&minimal_and(&[("ce-subject", r#""quoted \"x\"""#)]), "").subject(),
        Some(r#"quoted "x""#)
    );
}

#[test]
fn media_types_are_read_that_the_sdk_stumbles_over() {
    for media_type in [
        "Application/CloudEvents+JSON",
        "application/cloudevents; charset=utf-8",
    ] {
        let message = headers(&[("content-type", media_type)]);
        assert_eq!(event(&message, with_members("")).id(), "1");
        let theirs = cloudevents::binding::http::to_event(&message, with_members("").into_bytes());
        assert!(
            theirs.is_err(),
            "the SDK got better at {media_type}: this row can go"
        );
    }
    let batch = headers(&[("content-type", "application/cloudevents-batch+json")]);
    assert!(decode(&batch, "[]".into(), &Limits::default()).is_ok());
    let data = with_members(
        r#","datacontenttype":"application/vnd.x+json; charset=utf-8","data":{"a":1}"#,
    );
    assert_eq!(from_json(&data).unwrap().data().bytes(), r#"{"a":1}"#);
}

#[test]
fn base64_without_a_media_type_is_not_turned_into_json() {
    let event = from_json(&with_members(r#","data_base64":"e30=""#)).unwrap();
    assert!(
        !encode_binary(&event)
            .unwrap()
            .0
            .contains_key("content-type")
    );
}

#[test]
fn null_headers_tombstones_and_repeated_headers_do_no_harm_in_kafka() {
    let structured = [("content-type", Some(&b"application/cloudevents+json"[..]))];
    assert_eq!(
        kafka::decode(structured, None, &Limits::default()),
        Err(Error::NoBody)
    );
    let minimal = [
        ("ce_specversion", Some(&b"1.0"[..])),
        ("ce_id", Some(b"1")),
        ("ce_source", Some(b"/s")),
        ("ce_type", Some(b"t")),
    ];
    let null = minimal.into_iter().chain([("ce_mine", None)]);
    assert!(kafka::decode(null, None, &Limits::default()).is_ok());
    let twice = minimal
        .into_iter()
        .chain([("ce_mine", Some(&b"1"[..])), ("ce_mine", Some(b"2"))]);
    assert_eq!(
        kafka::decode(twice, None, &Limits::default()),
        Err(Error::Duplicate("mine".into()))
    );
}

#[test]
fn an_event_survives_the_way_into_the_sdk_and_back() {
    let ours = Event::new("t", Data::json(r#"{"a":1}"#))
        .with_id("1")
        .with_source("/s")
        .with_subject("x")
        .with_time("2026-01-31T12:00:00Z")
        .with_datacontenttype("application/json")
        .with_dataschema("https://a.example/schema")
        .with_extension("n", 7)
        .with_extension("b", true)
        .with_extension("s", "text");
    let theirs = cloudevents::Event::try_from(ours.clone()).unwrap();
    assert_eq!((theirs.id(), theirs.subject()), ("1", Some("x")));
    let back = Event::try_from(theirs).unwrap();
    let text = |name| back.text(name).unwrap().into_owned();
    assert_eq!(
        (text("id"), text("n"), text("b"), text("s")),
        ("1".into(), "7".into(), "true".into(), "text".into())
    );
    assert_eq!(text("dataschema"), "https://a.example/schema");
    assert_eq!(
        text("time"),
        "2026-01-31T12:00:00+00:00",
        "the SDK writes times its own way"
    );
    assert_eq!(back.data(), ours.data());
}

#[test]
fn every_kind_of_data_survives_the_way_into_the_sdk_and_back() {
    for (data, media_type) in [
        (Data::text("plain"), Some("text/plain")),
        (Data::binary(vec![0, 255]), Some("application/octet-stream")),
        (Data::binary(vec![0, 255]), None),
        (Data::opaque("{}"), Some("application/json")),
        (Data::absent(), None),
    ] {
        let mut event = Event::new("t", data.clone()).with_id("1").with_source("/s");
        if let Some(media_type) = media_type {
            event = event.with_datacontenttype(media_type);
        }
        let theirs = cloudevents::Event::try_from(event.clone()).unwrap();
        let back = Event::try_from(theirs).unwrap();
        assert_eq!(back.data(), &data);
        assert_eq!(back.datacontenttype(), media_type);
    }
}

#[test]
fn what_one_type_cannot_hold_is_refused_by_the_conversion() {
    let unfinished = Event::new("t", Data::absent());
    assert!(cloudevents::Event::try_from(unfinished).is_err());
    let mut theirs = cloudevents::Event::try_from(from_json(&with_members("")).unwrap()).unwrap();
    theirs.set_extension("Bad-Name", "x");
    assert!(Event::try_from(theirs.clone()).is_err());
    theirs.remove_extension("Bad-Name");
    theirs.set_extension("big", i64::MAX);
    let error = Event::try_from(theirs).unwrap_err().to_string();
    assert!(error.contains("`big`"), "{error}");
    let written = json::encode(&from_json(&with_members("")).unwrap()).unwrap();
    assert!(sdk_reads(std::str::from_utf8(&written).unwrap()));
}
