//! The JSON event format, one event or a batch.

mod member;
mod read;
mod write;

use bytes::Bytes;

use crate::{Error, Event, Limits};

/// The media type of one event.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// The media type of a batch.
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";

/// Reads one event. Its data is a slice of `body`, unless it is base64 or a string with escapes.
///
/// # Errors
/// When `body` is no JSON object, or not a valid event.
pub fn decode(body: Bytes) -> Result<Event, Error> {
    decode_within(body, &Limits::default())
}

/// Like [`decode`], with limits of the caller's.
///
/// # Errors
/// As [`decode`], and when a limit is exceeded.
pub fn decode_within(body: Bytes, limits: &Limits) -> Result<Event, Error> {
    limits.check_body(body.len())?;
    read::event(body, limits)
}

/// Reads a batch, which may be empty.
///
/// # Errors
/// When `body` is no JSON array, or one of its members not a valid event; the error says which.
pub fn decode_batch(body: Bytes) -> Result<Vec<Event>, Error> {
    decode_batch_within(body, &Limits::default())
}

/// Like [`decode_batch`], with limits of the caller's.
///
/// # Errors
/// As [`decode_batch`], and when a limit is exceeded.
pub fn decode_batch_within(body: Bytes, limits: &Limits) -> Result<Vec<Event>, Error> {
    limits.check_body(body.len())?;
    read::batch(body, limits)
}

/// Whether `body` is a JSON object with a member `specversion`: what calls itself an event without a media type.
pub(crate) fn has_specversion(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Probe {
        #[serde(rename = "specversion")]
        _specversion: serde::de::IgnoredAny,
    }
    body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<Probe>(body).is_ok()
}

/// Writes one event. One that was read from JSON and not changed is written as the very bytes it came in.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode(event: &Event) -> Result<Bytes, Error> {
    if let Some(envelope) = &event.envelope {
        return Ok(envelope.clone());
    }
    let mut body = Vec::with_capacity(write::size(event));
    write::event(event, &mut body)?;
    Ok(body.into())
}

/// Writes a batch.
///
/// # Errors
/// When one of the events is not valid; the error says which.
pub fn encode_batch(events: &[Event]) -> Result<Bytes, Error> {
    let mut body = Vec::with_capacity(
        2 + events
            .iter()
            .map(|event| write::size(event) + 1)
            .sum::<usize>(),
    );
    body.push(b'[');
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match &event.envelope {
            Some(envelope) => body.extend_from_slice(envelope),
            None => write::event(event, &mut body).map_err(|error| Error::InBatch {
                index,
                error: Box::new(error),
            })?,
        }
    }
    body.push(b']');
    Ok(body.into())
}
