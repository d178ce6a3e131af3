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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> Result<Incoming, Error> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        receive(
            "order",
            "call-1",
            &headers.collect(),
            Bytes::from_static(body.as_bytes()),
            &Limits::default(),
        )
    }

    fn event(incoming: Result<Incoming, Error>) -> Event {
        match incoming {
            Ok(Incoming::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_request_becomes_an_invocation_with_its_body_untouched() {
        let event = event(request(
            &[("content-type", "text/plain; charset=utf-8")],
            " {\"total\": 12.50 }\n",
        ));
        assert_eq!(
            (event.ty(), event.source(), event.id()),
            ("openfaas.invocation", "/function/order", "call-1")
        );
        assert_eq!(event.datacontenttype(), Some("text/plain; charset=utf-8"));
        assert_eq!(event.data().bytes(), " {\"total\": 12.50 }\n");
        event.validate().unwrap();
    }

    #[test]
    fn an_empty_request_has_no_data() {
        let event = event(request(&[], ""));
        assert!(event.data().is_absent());
        assert_eq!(event.datacontenttype(), None);
    }

    #[test]
    fn a_media_type_that_is_none_is_left_out() {
        let event = event(request(&[("content-type", "nonsense")], "x"));
        assert_eq!(event.datacontenttype(), None);
        event.validate().unwrap();
    }

    #[test]
    fn a_cloudevent_stays_what_it_is() {
        let document = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
        let event = event(request(
            &[("content-type", "application/cloudevents+json")],
            document,
        ));
        assert_eq!((event.ty(), event.source(), event.id()), ("t", "/s", "1"));
        let batch = request(
            &[("content-type", "application/cloudevents-batch+json")],
            "[]",
        );
        assert_eq!(batch.unwrap(), Incoming::Batch(vec![]));
    }

    #[test]
    fn a_broken_cloudevent_is_never_wrapped() {
        for (headers, body) in [
            (
                [("ce-specversion", "1.0")].as_slice(),
                "the rest is missing",
            ),
            (
                &[("content-type", "application/cloudevents+json")],
                "not JSON",
            ),
            (
                &[("content-type", "Application/CloudEvents; charset=utf-8")],
                "{}",
            ),
            (
                &[("content-type", "application/cloudevents-batch+json")],
                "{}",
            ),
        ] {
            assert!(request(headers, body).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_plain_message_has_its_position_as_source_and_id() {
        let event = from_broker(
            "orders/3",
            17,
            Some("application/json"),
            Some(Bytes::from_static(b"{}")),
        );
        assert_eq!(
            (event.ty(), event.source(), event.id()),
            ("openfaas.message", "/broker/orders/3", "17")
        );
        assert_eq!(event.datacontenttype(), Some("application/json"));
        let tombstone = from_broker("orders/3", 18, None, None);
        assert!(tombstone.data().is_absent());
        let empty = from_broker("orders/3", 19, None, Some(Bytes::new()));
        assert!(!empty.data().is_absent());
    }

    #[test]
    fn any_log_and_any_function_make_a_valid_source() {
        for name in ["a b", "größe", "100%", "a?b#c", "a.*", ""] {
            from_broker(name, 1, None, None).validate().unwrap();
            from_http(name, "call-1", None, Bytes::new())
                .validate()
                .unwrap();
        }
        assert_eq!(
            from_broker("a b%", 1, None, None).source(),
            "/broker/a%20b%25"
        );
    }
}
