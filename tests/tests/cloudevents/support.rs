//! Messages as a wire would bring them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use openfaas_cloudevents::http::{Message, decode};
use openfaas_cloudevents::{Error, Event, Limits, json};

/// Headers as an HTTP server hands them over; values may be any bytes.
pub(crate) fn headers<V: AsRef<[u8]>>(lines: &[(&str, V)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::try_from(*name).expect("a header name"),
            HeaderValue::from_bytes(value.as_ref()).expect("a header value"),
        );
    }
    headers
}

/// The headers of the smallest binary-mode event, and `more`.
pub(crate) fn minimal_and<V: AsRef<[u8]>>(more: &[(&str, V)]) -> HeaderMap {
    let mut all = headers(&[
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
    ]);
    for (name, value) in headers(more).iter() {
        all.append(name.clone(), value.clone());
    }
    all
}

/// Reads a message that has to be one event.
pub(crate) fn event(headers: &HeaderMap, body: impl Into<Bytes>) -> Event {
    match decode(headers, body.into(), &Limits::default()) {
        Ok(Message::Event(event)) => event,
        other => panic!("not one event: {other:?}"),
    }
}

/// Reads a message that has to be refused.
pub(crate) fn refusal(headers: &HeaderMap, body: impl Into<Bytes>) -> Error {
    decode(headers, body.into(), &Limits::default()).expect_err("this has to be refused")
}

/// Reads a structured event out of the text of its JSON.
pub(crate) fn from_json(text: &str) -> Result<Event, Error> {
    json::decode(Bytes::copy_from_slice(text.as_bytes()))
}

/// The smallest structured event with `members`, which begin with a comma.
pub(crate) fn with_members(members: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{members}}}"#)
}

/// Names and canonical texts of all attributes, in order.
pub(crate) fn texts(event: &Event) -> Vec<(String, String)> {
    event
        .attributes()
        .map(|(name, value)| (name.to_owned(), value.text().into_owned()))
        .collect()
}

/// So many cases of a property, or as many as `PROPTEST_CASES` asks for.
pub(crate) fn cases(default: u32) -> proptest::test_runner::Config {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    proptest::test_runner::Config {
        cases: asked.unwrap_or(default),
        failure_persistence: None,
        ..Default::default()
    }
}
