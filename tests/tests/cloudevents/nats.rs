//! NATS binding: structured as in 1.0.2, binary as in the draft of 1.0.3.

use bytes::Bytes;
use openfaas_cloudevents::http::Message;
use openfaas_cloudevents::nats::{decode, encode_binary, encode_structured};
use openfaas_cloudevents::{Data, Error, Event, Limits};

use crate::support::with_members;

const MINIMAL: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/s"),
    ("ce-type", "t"),
];

fn read(more: &[(&str, &str)], payload: &str) -> Result<Message, Error> {
    decode(
        MINIMAL.iter().chain(more).copied(),
        Bytes::from(payload.to_owned()),
        &Limits::default(),
    )
}

fn event(more: &[(&str, &str)], payload: &str) -> Event {
    match read(more, payload) {
        Ok(Message::Event(event)) => event,
        other => panic!("not an event: {other:?}"),
    }
}

#[test]
fn the_media_type_has_a_header_of_its_own() {
    let event = event(
        &[("ce-datacontenttype", "text/plain;%20charset=utf-8")],
        "x",
    );
    assert_eq!(event.datacontenttype(), Some("text/plain; charset=utf-8"));
    let (headers, payload) = encode_binary(&event).unwrap();
    assert!(headers.contains(&(
        "ce-datacontenttype".into(),
        "text/plain;%20charset=utf-8".into()
    )));
    assert!(!headers.iter().any(|(name, _)| name == "Content-Type"));
    assert_eq!(payload, "x");
}

#[test]
fn a_content_type_is_taken_where_there_is_nothing_better() {
    assert_eq!(
        event(&[("Content-Type", "text/plain")], "x").datacontenttype(),
        Some("text/plain")
    );
    let both = [
        ("ce-datacontenttype", "text/html"),
        ("Content-Type", "text/plain"),
    ];
    assert_eq!(event(&both, "x").datacontenttype(), Some("text/html"));
}

#[test]
fn names_are_read_in_any_case_and_values_percent_decoded() {
    let event = event(
        &[("Ce-Subject", "Euro%20%E2%82%AC"), ("CE-MINE", "100%")],
        "",
    );
    assert_eq!(event.subject(), Some("Euro €"));
    assert_eq!(event.text("mine").unwrap(), "100%");
    let (headers, _) = encode_binary(&event).unwrap();
    assert!(headers.contains(&("ce-subject".into(), "Euro%20%E2%82%AC".into())));
    assert!(headers.contains(&("ce-mine".into(), "100%25".into())));
}

#[test]
fn a_structured_message_says_so_in_its_content_type() {
    for media_type in [
        "application/cloudevents+json",
        "application/cloudevents",
        "Application/CloudEvents+JSON; charset=utf-8",
    ] {
        let read = decode(
            [("content-type", media_type)],
            with_members("").into(),
            &Limits::default(),
        );
        assert!(
            matches!(read, Ok(Message::Event(_))),
            "{media_type}: {read:?}"
        );
    }
    let (headers, payload) = encode_structured(&event(&[], "")).unwrap();
    assert_eq!(
        headers,
        [(
            "Content-Type".into(),
            "application/cloudevents+json".to_owned()
        )]
    );
    assert!(payload.starts_with(b"{"));
}

#[test]
fn a_message_without_headers_is_structured_if_it_says_specversion() {
    let none: [(&str, &str); 0] = [];
    let read = |payload: &str| decode(none, Bytes::from(payload.to_owned()), &Limits::default());
    assert!(matches!(read(&with_members("")), Ok(Message::Event(_))));
    assert_eq!(
        read(r#"{"specversion":"1.0","id":"1","source":"/s"}"#),
        Err(Error::Missing("type"))
    );
    for other in [
        "",
        "text",
        r#"{"id":"1"}"#,
        r#"{"nested":{"specversion":"1.0"}}"#,
        r#"["specversion"]"#,
        "{",
    ] {
        assert_eq!(read(other), Ok(Message::Other), "{other}");
    }
}

#[test]
fn a_message_of_another_media_type_is_no_event_whatever_it_holds() {
    let read = decode(
        [("Content-Type", "application/json")],
        with_members("").into(),
        &Limits::default(),
    );
    assert_eq!(read, Ok(Message::Other));
}

#[test]
fn a_broken_event_is_refused() {
    assert_eq!(
        read(&[("CE-ID", "2")], ""),
        Err(Error::Duplicate("id".into()))
    );
    assert!(matches!(
        read(&[("ce-my-own", "x")], ""),
        Err(Error::Name(_))
    ));
    let batch = decode(
        [("Content-Type", "application/cloudevents-batch+json")],
        "[]".into(),
        &Limits::default(),
    );
    assert!(matches!(batch, Err(Error::Format(_))), "{batch:?}");
}

#[test]
fn no_data_is_an_empty_payload() {
    assert!(event(&[], "").data().is_absent());
    let absent = Event::new("t", Data::absent())
        .with_id("1")
        .with_source("/s");
    assert!(encode_binary(&absent).unwrap().1.is_empty());
}
