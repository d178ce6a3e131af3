//! Kafka binding 1.0.2.

use bytes::Bytes;
use openfaas_cloudevents::http::Message;
use openfaas_cloudevents::kafka::{Record, decode, encode_binary, encode_structured, key};
use openfaas_cloudevents::{Data, Error, Event, Limits, Problem};

use crate::support::with_members;

type Line<'a> = (&'a str, Option<&'a [u8]>);

const MINIMAL: [Line<'static>; 4] = [
    ("ce_specversion", Some(b"1.0")),
    ("ce_id", Some(b"1")),
    ("ce_source", Some(b"/s")),
    ("ce_type", Some(b"t")),
];

fn read<'a>(more: &[Line<'a>], value: Option<&'static str>) -> Result<Message, Error> {
    let headers = MINIMAL.iter().chain(more).copied();
    decode(headers, value.map(Bytes::from), &Limits::default())
}

fn event(more: &[Line<'_>], value: Option<&'static str>) -> Event {
    match read(more, value) {
        Ok(Message::Event(event)) => event,
        other => panic!("not an event: {other:?}"),
    }
}

fn read_again(record: &Record) -> Event {
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| (&**name, Some(&**value)));
    match decode(headers, record.value.clone(), &Limits::default()) {
        Ok(Message::Event(event)) => event,
        other => panic!("not an event: {other:?}"),
    }
}

#[test]
fn attributes_are_headers_with_an_underscore_and_values_are_raw_utf8() {
    let event = event(
        &[
            ("ce_subject", Some("Euro € 100%20".as_bytes())),
            ("content-type", Some(b"text/plain")),
        ],
        Some("x"),
    );
    assert_eq!(event.subject(), Some("Euro € 100%20"));
    assert_eq!(event.datacontenttype(), Some("text/plain"));
    let record = encode_binary(&event).unwrap();
    let written = |name: &str| {
        record
            .headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
    };
    assert_eq!(written("ce_subject").unwrap(), "Euro € 100%20");
    assert_eq!(written("content-type").unwrap(), "text/plain");
    assert_eq!(written("ce_datacontenttype"), None);
    assert_eq!(record.value.as_deref(), Some(&b"x"[..]));
}

#[test]
fn a_structured_event_needs_no_header_that_says_so() {
    const WHOLE: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}"#;
    let read = |content_type: Option<&'static [u8]>, value: &'static str| {
        let headers = [("content-type", content_type)];
        decode(headers, Some(value.into()), &Limits::default()).unwrap()
    };
    for content_type in [None, Some(&b"application/json"[..])] {
        match read(content_type, WHOLE) {
            Message::Event(event) => assert_eq!(event.id(), "1"),
            other => panic!("not an event: {other:?}"),
        }
        for plain in [r#"{"specversion":"1.0"}"#, r#"{"a":1}"#, "text", ""] {
            assert_eq!(read(content_type, plain), Message::Other, "{plain}");
        }
    }
    assert_eq!(read(Some(b"text/plain"), WHOLE), Message::Other);
}

#[test]
fn a_header_without_a_value_is_not_there() {
    let event = event(
        &[
            ("ce_subject", None),
            ("other", None),
            ("content-type", None),
        ],
        None,
    );
    assert_eq!(event.subject(), None);
    let missing = [
        ("ce_specversion", Some(&b"1.0"[..])),
        ("ce_id", None),
        ("ce_source", Some(b"/s")),
        ("ce_type", Some(b"t")),
    ];
    assert_eq!(
        decode(missing, None, &Limits::default()),
        Err(Error::Missing("id"))
    );
}

#[test]
fn a_tombstone_is_an_event_without_data_and_the_other_way_round() {
    let tombstone = event(&[], None);
    assert!(tombstone.data().is_absent());
    assert_eq!(encode_binary(&tombstone).unwrap().value, None);
    let empty = event(&[], Some(""));
    assert!(!empty.data().is_absent());
    assert_eq!(encode_binary(&empty).unwrap().value, Some(Bytes::new()));
}

#[test]
fn a_structured_record_has_a_value_also_without_data() {
    let record = encode_structured(&event(&[], None)).unwrap();
    assert_eq!(
        record.headers,
        [(
            "content-type".into(),
            Bytes::from("application/cloudevents+json")
        )]
    );
    assert!(record.value.is_some());
    assert!(read_again(&record).data().is_absent());
}

#[test]
fn a_structured_record_without_a_value_is_refused() {
    let headers = [("content-type", Some(&b"application/cloudevents+json"[..]))];
    assert_eq!(
        decode(headers, None, &Limits::default()),
        Err(Error::NoBody)
    );
}

#[test]
fn structured_records_are_known_in_any_case_with_any_parameters() {
    for media_type in [
        "application/cloudevents+json; charset=UTF-8",
        "Application/CloudEvents+JSON",
    ] {
        let headers = [("content-type", Some(media_type.as_bytes()))];
        let read = decode(headers, Some(with_members("").into()), &Limits::default());
        assert!(
            matches!(read, Ok(Message::Event(_))),
            "{media_type}: {read:?}"
        );
    }
}

#[test]
fn there_are_no_batches() {
    let headers = [(
        "content-type",
        Some(&b"application/cloudevents-batch+json"[..]),
    )];
    let read = decode(headers, Some("[]".into()), &Limits::default());
    assert!(matches!(read, Err(Error::Format(_))), "{read:?}");
}

#[test]
fn a_record_without_specversion_is_no_cloudevent() {
    let headers = [
        ("ce_id", Some(&b"1"[..])),
        ("content-type", Some(b"text/plain")),
    ];
    assert_eq!(
        decode(headers, None, &Limits::default()),
        Ok(Message::Other)
    );
}

#[test]
fn broken_headers_are_refused_by_name() {
    for (line, expected) in [
        (
            ("ce_subject", &b"\xff"[..]),
            Error::Attribute {
                name: "subject".into(),
                problem: Problem::Utf8,
            },
        ),
        (("ce_id", b"2"), Error::Duplicate("id".into())),
        (("ce_Mine", b"x"), Error::Name("Mine".into())),
        (("ce_datacontenttype", b"a/b"), Error::ContentTypeTwice),
        (
            ("content-type", b"\xff"),
            Error::Attribute {
                name: "datacontenttype".into(),
                problem: Problem::MediaType,
            },
        ),
    ] {
        assert_eq!(read(&[(line.0, Some(line.1))], None), Err(expected));
    }
}

#[test]
fn the_key_is_the_partition_key_and_the_event_keeps_it() {
    let keyed = event(&[("ce_partitionkey", Some(b"customer 7"))], None);
    assert_eq!(key(&keyed).unwrap(), "customer 7");
    let record = encode_binary(&keyed).unwrap();
    assert!(
        record
            .headers
            .iter()
            .any(|(name, value)| name == "ce_partitionkey" && value == "customer 7")
    );
    assert_eq!(key(&event(&[], None)), None);
}

#[test]
fn json_data_without_a_media_type_gets_one() {
    let event = Event::new("t", Data::json("1"))
        .with_id("1")
        .with_source("/s");
    let record = encode_binary(&event).unwrap();
    assert!(
        record
            .headers
            .contains(&("content-type".into(), Bytes::from("application/json")))
    );
}
