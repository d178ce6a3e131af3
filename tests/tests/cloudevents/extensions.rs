//! The extensions that a chain of functions lives by (cloudevents/extensions).

use openfaas_cloudevents::{AttributeValue, Data, Event, http, json, kafka};

use crate::support::{event, from_json, minimal_and, with_members};

#[test]
fn traceparent_and_tracestate_pass_unchanged_through_every_mode() {
    let (parent, state) = (
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
        "a=1,b=2@x",
    );
    let first = event(
        &minimal_and(&[("ce-traceparent", parent), ("ce-tracestate", state)]),
        "",
    );
    let second = json::decode(json::encode(&first).unwrap()).unwrap();
    let (headers, _) = http::encode_binary(&second).unwrap();
    assert_eq!(headers["ce-traceparent"], parent);
    assert_eq!(headers["ce-tracestate"], state);
    assert!(
        !headers.contains_key("traceparent"),
        "the protocol's own header is the sender's to set"
    );
}

#[test]
fn an_empty_partition_key_is_none() {
    assert_eq!(
        event(&minimal_and(&[("ce-partitionkey", "")]), "").partition_key(),
        None
    );
    assert_eq!(
        event(&minimal_and(&[("ce-partitionkey", "k")]), "")
            .partition_key()
            .unwrap(),
        "k"
    );
}

#[test]
fn a_partition_key_that_is_a_number_in_json_is_its_text() {
    let event = from_json(&with_members(r#","partitionkey":4711"#)).unwrap();
    assert_eq!(event.partition_key().unwrap(), "4711");
    assert_eq!(kafka::key(&event).unwrap(), "4711");
}

#[test]
fn a_sequence_keeps_its_text_and_its_type() {
    let event = from_json(&with_members(
        r#","sequence":"0000000001","sequencetype":"Integer""#,
    ))
    .unwrap();
    assert_eq!(event.text("sequence").unwrap(), "0000000001");
    assert_eq!(event.text("sequencetype").unwrap(), "Integer");
}

#[test]
fn the_identity_of_a_reply_is_carried_in_every_mode() {
    let reply = Event::new("t", Data::absent())
        .with_id("1")
        .with_source("/s")
        .with_extension("causationid", "c")
        .with_extension("correlationid", "o")
        .with_extension("hopcount", 3);
    let (headers, _) = http::encode_binary(&reply).unwrap();
    assert_eq!(
        (&headers["ce-causationid"], &headers["ce-correlationid"]),
        (&"c".parse().unwrap(), &"o".parse().unwrap())
    );
    assert_eq!(headers["ce-hopcount"], "3");
    let structured = json::decode(json::encode(&reply).unwrap()).unwrap();
    assert_eq!(
        structured.attribute("hopcount"),
        Some(&AttributeValue::Integer(3))
    );
}
