//! What comes in that is no CloudEvent becomes one; its body is not touched.

use bytes::Bytes;
use http::HeaderMap;
use openfaas_cloudevents::http::Message;
use openfaas_cloudevents::{Data, Error, Event, Limits, MediaType};

/// The type of a plain HTTP request.
pub const INVOCATION_TYPE: &str = "openfaas.invocation";

/// The type of a plain message of a broker.
pub const MESSAGE_TYPE: &str = "openfaas.message";

/// What a request holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// One event, as it came or made of a plain request.
    Event(Event),
    /// `application/cloudevents-batch+json`.
    Batch(Vec<Event>),
}

/// Reads a request: a CloudEvent in any mode, or anything else, which becomes one of type `openfaas.invocation`.
///
/// # Errors
/// A broken CloudEvent: it says it is one (a `specversion` or a CloudEvents media type is there), and the rest is not
/// right. It is never wrapped; over HTTP it is a 400.
pub fn receive(
    function: &str,
    call_id: &str,
    headers: &HeaderMap,
    body: Bytes,
    limits: &Limits,
) -> Result<Incoming, Error> {
    match openfaas_cloudevents::http::decode(headers, body.clone(), limits)? {
        Message::Event(event) => Ok(Incoming::Event(event)),
        Message::Batch(events) => Ok(Incoming::Batch(events)),
        Message::Other => {
            let content_type = headers
                .get(http::header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok());
            Ok(Incoming::Event(from_http(
                function,
                call_id,
                content_type,
                body,
            )))
        }
    }
}

/// The event that a plain request becomes: source `/function/<function>`, id the call id.
pub fn from_http(function: &str, call_id: &str, content_type: Option<&str>, body: Bytes) -> Event {
    // In HTTP there is no telling an empty body from none.
    let data = if body.is_empty() {
        Data::absent()
    } else {
        Data::opaque(body)
    };
    wrapped(
        INVOCATION_TYPE,
        call_id,
        function_source(function),
        content_type,
        data,
    )
}

/// The event that a plain message becomes: source and id are its position, so that it is the same event each time it
/// comes. `log` is a NATS stream, a Kafka topic and partition (`orders/3`) or a topic of the in-memory bus; `offset` the
/// sequence or offset in it. No body (a Kafka tombstone) is no data.
pub fn from_broker(
    log: &str,
    offset: u64,
    content_type: Option<&str>,
    body: Option<Bytes>,
) -> Event {
    let source = format!("/broker/{}", path(log));
    wrapped(
        MESSAGE_TYPE,
        &offset.to_string(),
        source,
        content_type,
        body.map_or_else(Data::absent, Data::opaque),
    )
}

/// The source of what a function makes: `/function/<function>`.
pub fn function_source(function: &str) -> String {
    format!("/function/{}", path(function))
}

/// A media type that an event may carry; what is none is left out.
pub(crate) fn media_type(content_type: Option<&str>) -> Option<&str> {
    content_type
        .map(str::trim)
        .filter(|text| MediaType::parse(text).is_some())
}

fn wrapped(ty: &str, id: &str, source: String, content_type: Option<&str>, data: Data) -> Event {
    let event = Event::new(ty, data).with_id(id).with_source(source);
    match media_type(content_type) {
        Some(media_type) => event.with_datacontenttype(media_type),
        None => event,
    }
}

/// A text as part of a URI's path: everything but unreserved characters and slashes is percent-encoded (RFC 3986, 3.3).
fn path(text: &str) -> String {
    use std::fmt::Write;
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(byte as char)
            }
            other => drop(write!(path, "%{other:02X}")),
        }
    }
    path
}
