//! The key by which events are kept in order.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openfaas_cloudevents::Event;

/// The order key of an event: its `partitionkey`; else the key of the record it came in (base64 where that is not UTF-8);
/// else none, and it is a line of its own. An empty key is none.
pub fn order_key<T>(event: &Event<T>, record_key: Option<&[u8]>) -> Option<String> {
    if let Some(key) = event.partition_key() {
        return Some(key.into_owned());
    }
    let key = record_key.filter(|key| !key.is_empty())?;
    Some(std::str::from_utf8(key).map_or_else(|_| STANDARD.encode(key), str::to_owned))
}

/// The record key under which an event is published: its `partitionkey`.
pub fn record_key<T>(event: &Event<T>) -> Option<Bytes> {
    event.partition_key().map(|key| Bytes::from(key.into_owned()))
}
