//! HTTP binding, section 3.3, and JSON format, section 4: batches.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use openfaas_cloudevents::http::{Message, decode, encode_batch};
use openfaas_cloudevents::{Error, Event, Limits, json};

use crate::support::{from_json, headers, with_members};

fn batch(body: &str) -> Result<Vec<Event>, Error> {
    for media_type in [
        "application/cloudevents-batch+json; charset=utf-8",
        "Application/CloudEvents-Batch+JSON",
    ] {
        let headers = headers(&[("content-type", media_type)]);
        match decode(
            &headers,
            Bytes::copy_from_slice(body.as_bytes()),
            &Limits::default(),
        ) {
            Ok(Message::Batch(events)) => {
                assert_eq!(json::decode_batch(body.to_owned().into()), Ok(events))
            }
            Ok(other) => panic!("not a batch: {other:?}"),
            Err(error) => assert_eq!(json::decode_batch(body.to_owned().into()), Err(error)),
        }
    }
    json::decode_batch(body.to_owned().into())
}

#[test]
fn a_batch_may_be_empty() {
    assert_eq!(batch("[]"), Ok(vec![]));
    assert_eq!(batch(" [ ] "), Ok(vec![]));
    assert_eq!(encode_batch(&[]).unwrap().1, "[]");
}

#[test]
fn events_keep_their_order_and_their_bytes() {
    let first = with_members(r#", "data" : { "n": 1.0 }"#);
    let second = with_members(r#","data":2"#).replace(r#""id":"1""#, r#""id":"2""#);
    let body = format!("[ {first} ,\n{second}]");
    let events = batch(&body).unwrap();
    assert_eq!(events.iter().map(Event::id).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(events[0].data().bytes(), r#"{ "n": 1.0 }"#);
    let (headers, written) = encode_batch(&events).unwrap();
    assert_eq!(headers[CONTENT_TYPE], "application/cloudevents-batch+json");
    assert_eq!(written, format!("[{first},{second}]"));
}

#[test]
fn one_broken_event_is_named_by_its_position() {
    let good = with_members("");
    for (bad, expected) in [
        (
            r#"{"specversion":"1.0","type":"t","source":"/s"}"#,
            Error::Missing("id"),
        ),
        (r#""not an object""#, Error::Shape("a JSON object")),
        ("null", Error::Shape("a JSON object")),
    ] {
        let error = batch(&format!("[{good},{bad}]")).unwrap_err();
        assert_eq!(
            error,
            Error::InBatch {
                index: 1,
                error: Box::new(expected)
            }
        );
    }
    let mixed = format!("[{good},{}]", good.replace("1.0", "0.9"));
    assert!(matches!(
        batch(&mixed),
        Err(Error::InBatch { index: 1, .. })
    ));
}

#[test]
fn what_is_no_array_is_refused() {
    assert_eq!(batch("{}"), Err(Error::Shape("a JSON array")));
    assert_eq!(batch("\"secret\""), Err(Error::Shape("a JSON array")));
    assert!(matches!(batch("[{}"), Err(Error::Json { .. })));
}

#[test]
fn an_event_that_cannot_be_written_is_named_by_its_position() {
    let good = from_json(&with_members("")).unwrap();
    let mut bad = good.clone();
    bad.remove_attribute("source");
    let error = encode_batch(&[good, bad]).unwrap_err();
    assert_eq!(
        error,
        Error::InBatch {
            index: 1,
            error: Box::new(Error::Missing("source"))
        }
    );
}

#[test]
fn the_data_of_each_event_is_a_slice_of_the_body() {
    let body = Bytes::from(format!("[{}]", with_members(r#","data":{"a":1}"#)));
    let range = body.as_ptr_range();
    let events = json::decode_batch(body.clone()).unwrap();
    assert!(range.contains(&events[0].data().bytes().as_ptr()));
}
