//! How an event stands in a record: the Kafka protocol binding of CloudEvents.

use std::sync::Arc;

use bytes::Bytes;
use openfaas_cloudevents::{Event, Limits, kafka as binding};

use crate::broker::{Decoded, Header, Message, Publication};
use crate::reply::record_key;
use crate::wiring::Format;

/// Reads a record; one that never claimed to be a CloudEvent is wrapped.
pub(super) fn decode(message: &Message) -> Decoded {
    let headers = message
        .headers
        .iter()
        .map(|header| (header.name.as_str(), header.value.as_deref()));
    Decoded::of(
        message,
        binding::decode(headers, message.body.clone(), &Limits::default()),
    )
}

/// Writes an event; its order key is the record's key.
pub(super) fn encode(
    topic: &Arc<str>,
    event: &Event,
    format: Format,
) -> Result<Publication, String> {
    let record = match format {
        Format::Binary => binding::encode_binary(event),
        Format::Structured => binding::encode_structured(event),
    }
    .map_err(|error| error.to_string())?;
    let header = |(name, value): (std::borrow::Cow<'static, str>, Bytes)| Header {
        name: name.into_owned(),
        value: Some(value),
    };
    Ok(Publication {
        topic: Arc::clone(topic),
        dedup: None,
        key: record_key(event),
        headers: record.headers.into_iter().map(header).collect(),
        body: record.value,
    })
}
