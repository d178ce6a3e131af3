//! How an event stands in a NATS message, and a NATS message in ours.

use std::sync::Arc;
use std::time::SystemTime;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;
use openfaas_cloudevents::{Event, Limits, nats as binding};

use crate::broker::{Decoded, Header, Message, Position, Publication};
use crate::wiring::Format;

/// Reads a message; one that never claimed to be a CloudEvent is wrapped.
pub(super) fn decode(message: &Message) -> Decoded {
    let headers = message
        .headers
        .iter()
        .filter_map(|header| Some((header.name.as_str(), header.text()?)));
    let body = message.body.clone().unwrap_or_default();
    Decoded::of(message, binding::decode(headers, body, &Limits::default()))
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
    let headers = headers
        .into_iter()
        .map(|(name, value)| Header::new(name, value))
        .collect();
    Ok(Publication {
        topic: Arc::clone(topic),
        dedup: None,
        key: None,
        headers,
        body: Some(body),
    })
}

/// A message as it came.
pub(super) fn message(
    message: async_nats::Message,
    topic: Arc<str>,
    position: Position,
    time: SystemTime,
) -> Message {
    Message {
        topic,
        position,
        time: Some(time),
        key: None,
        headers: message.headers.as_ref().map(headers).unwrap_or_default(),
        body: Some(message.payload),
    }
}

/// A message as it lies in its stream.
pub(super) fn stored(message: StreamMessage, log: &Arc<str>) -> Message {
    Message {
        topic: message.subject.as_str().into(),
        position: Position {
            log: Arc::clone(log),
            offset: message.sequence,
        },
        time: Some(SystemTime::from(message.time)),
        key: None,
        headers: headers(&message.headers),
        body: Some(message.payload),
    }
}

/// The headers of a publication, its dedup id among them.
pub(super) fn header_map(publication: &Publication) -> HeaderMap {
    let mut map = HeaderMap::new();
    for header in &publication.headers {
        map.append(header.name.as_str(), header.text().unwrap_or_default());
    }
    if let Some(id) = &publication.dedup {
        map.insert(NATS_MESSAGE_ID, id.as_str());
    }
    map
}

/// Sorted by name: the client keeps the order of values of one name, and none of the names.
fn headers(map: &HeaderMap) -> Vec<Header> {
    let mut headers: Vec<Header> = map
        .iter()
        .flat_map(|(name, values)| {
            let name: &str = name.as_ref();
            let value = move |value: &async_nats::HeaderValue| {
                Header::new(name, Bytes::copy_from_slice(value.as_ref()))
            };
            values.iter().map(value)
        })
        .collect();
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    headers
}
