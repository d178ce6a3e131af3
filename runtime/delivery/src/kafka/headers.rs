//! What a call says of its record, as OpenFaaS's own Kafka connector does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::broker::{Header, Message};

const PARTITION: HeaderName = HeaderName::from_static("x-kafka-partition");
const OFFSET: HeaderName = HeaderName::from_static("x-kafka-offset");
const KEY: HeaderName = HeaderName::from_static("x-kafka-key");
const KEY_ENCODING: HeaderName = HeaderName::from_static("x-kafka-key-enc");

/// What stands before the name of a record's own header.
const OWN: &str = "x-kafka-";

/// The attributes of an event, which a call carries anyway.
const ATTRIBUTE: &str = "ce_";

/// Where a record lies, its key, and each of its headers that is no attribute of its event. What no header of HTTP can
/// hold is left out; a key is in base64 then.
pub(super) fn of(message: &Message) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    let log = &message.position.log;
    let partition = log
        .rsplit_once('/')
        .map(|(_, number)| HeaderValue::from_str(number));
    if let Some(Ok(partition)) = partition {
        headers.insert(PARTITION, partition);
    }
    headers.insert(OFFSET, HeaderValue::from(message.position.offset));
    if let Some(key) = &message.key {
        match text(key) {
            Some(key) => drop(headers.insert(KEY, key)),
            None => {
                let encoded = HeaderValue::from_str(&STANDARD.encode(key));
                headers.extend(encoded.ok().map(|encoded| (KEY, encoded)));
                headers.insert(KEY_ENCODING, HeaderValue::from_static("b64"));
            }
        }
    }
    for header in &message.headers {
        if let Some((name, value)) = own(header) {
            headers.append(name, value);
        }
    }
    headers
}

fn own(header: &Header) -> Option<(HeaderName, HeaderValue)> {
    if header.name.starts_with(ATTRIBUTE) {
        return None;
    }
    let name = HeaderName::from_bytes(format!("{OWN}{}", header.name).as_bytes()).ok()?;
    // Nobody can speak for where the record lies.
    let taken = [PARTITION, OFFSET, KEY, KEY_ENCODING].contains(&name);
    let value = text(header.value.as_deref().unwrap_or_default())?;
    (!taken).then_some((name, value))
}

/// What a function reads as it was written: visible ASCII, and spaces that are not at an end.
fn text(bytes: &[u8]) -> Option<HeaderValue> {
    let visible = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let trimmed = bytes.trim_ascii().len() == bytes.len();
    (visible && trimmed).then(|| HeaderValue::from_bytes(bytes).ok())?
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::broker::Position;

    fn record(key: &[u8], headers: &[(&str, Option<&[u8]>)]) -> Message {
        let header = |(name, value): &(&str, Option<&[u8]>)| Header {
            name: (*name).to_owned(),
            value: value.map(Bytes::copy_from_slice),
        };
        Message {
            topic: "orders".into(),
            position: Position {
                log: "orders/3".into(),
                offset: 17,
            },
            time: None,
            key: Some(Bytes::copy_from_slice(key)),
            headers: headers.iter().map(header).collect(),
            body: None,
        }
    }

    #[test]
    fn a_record_is_told_as_openfaas_tells_it() {
        let headers = of(&record(
            b"ada",
            &[
                ("Trace-Id", Some(b"7")),
                ("Trace-Id", Some(b"8")),
                ("ce_type", Some(b"order.placed")),
                ("empty", None),
            ],
        ));
        for (name, value) in [
            ("x-kafka-partition", "3"),
            ("x-kafka-offset", "17"),
            ("x-kafka-key", "ada"),
            ("x-kafka-empty", ""),
        ] {
            assert_eq!(headers[name], value);
        }
        let both: Vec<_> = headers.get_all("x-kafka-trace-id").iter().collect();
        assert_eq!(both, ["7", "8"]);
        assert!(!headers.contains_key("x-kafka-ce_type"));
        assert!(!headers.contains_key("x-kafka-key-enc"));
    }

    #[test]
    fn what_no_header_can_hold_is_left_out_and_a_key_encoded() {
        let headers = of(&record(
            b"\xff\x00",
            &[
                ("no name", Some(b"x")),
                ("line", Some(b"a\nb")),
                ("offset", Some(b"1")),
            ],
        ));
        assert_eq!(headers["x-kafka-key"], "/wA=");
        assert_eq!(headers["x-kafka-key-enc"], "b64");
        assert_eq!(headers["x-kafka-offset"], "17");
        assert_eq!(headers.len(), 4, "{headers:?}");
    }
}
