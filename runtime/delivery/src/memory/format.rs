//! How an event stands in a message of the bus: as it would in an HTTP request.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use openfaas_cloudevents::{Event, Limits, http as binding};

use crate::broker::{Decoded, Header, Message, Publication};
use crate::reply::record_key;
use crate::wiring::Format;

/// Reads a message; one that never claimed to be a CloudEvent is wrapped.
pub(super) fn decode(message: &Message) -> Decoded {
    let mut headers = HeaderMap::with_capacity(message.headers.len());
    for Header { name, value } in &message.headers {
        let value = value
            .as_deref()
            .and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            headers.append(name, value);
        }
    }
    let body = message.body.clone().unwrap_or_default();
    Decoded::of(message, binding::decode(&headers, body, &Limits::default()))
}

/// Writes an event.
pub(super) fn encode(
    topic: &Arc<str>,
    event: &Event,
    format: Format,
) -> Result<Publication, String> {
    let (headers, body) = match format {
        Format::Binary => binding::encode_binary(event),
        Format::Structured => binding::encode_structured(event),
    }
    .map_err(|error| error.to_string())?;
    let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
        name: name.as_str().to_owned(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    };
    let headers = headers.iter().map(header).collect();
    Ok(Publication {
        topic: Arc::clone(topic),
        dedup: None,
        key: record_key(event),
        headers,
        body: Some(body),
    })
}
