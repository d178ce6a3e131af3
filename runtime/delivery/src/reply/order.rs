//! The key by which events are kept in order.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openfaas_cloudevents::Event;

use super::PARTITION_KEY;

/// The order key of an event: its `partitionkey`; else the key of the record it came in (base64 where that is not UTF-8);
/// else none, and it is a line of its own. An empty key is none. One with characters that no attribute may hold is written
/// in base64 too, or no reply could carry it on.
pub fn order_key<T>(event: &Event<T>, record_key: Option<&[u8]>) -> Option<String> {
    if let Some(key) = event.partition_key() {
        return Some(key.into_owned());
    }
    let key = record_key.filter(|key| !key.is_empty())?;
    let text = std::str::from_utf8(key)
        .ok()
        .filter(|text| can_be_attribute(text));
    Some(text.map_or_else(|| STANDARD.encode(key), str::to_owned))
}

fn can_be_attribute(text: &str) -> bool {
    let plain = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    plain
        || Event::new(PARTITION_KEY, ())
            .set_attribute(PARTITION_KEY, text)
            .is_ok()
}

/// The record key under which an event is published: its `partitionkey`.
pub fn record_key<T>(event: &Event<T>) -> Option<Bytes> {
    event
        .partition_key()
        .map(|key| Bytes::from(key.into_owned()))
}
