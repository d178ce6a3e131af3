//! Writing the JSON format: attributes in the event's own order, the data as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::attribute::AttributeValue;
use crate::data::Kind;
use crate::{Error, Event, MediaType};

/// About how many bytes the event takes.
pub(super) fn size(event: &Event) -> usize {
    let attributes: usize = event
        .attributes
        .iter()
        .map(|a| a.name.len() + 16 + a.value.as_str().map_or(12, str::len))
        .sum();
    attributes + 24 + event.data.bytes().len()
}

/// Writes `event` to the end of `body`; on an error some of it may be there.
pub(super) fn event(event: &Event, body: &mut Vec<u8>) -> Result<(), Error> {
    event.validate()?;
    body.push(b'{');
    for (index, (name, value)) in event.attributes().enumerate() {
        member(body, name, index == 0);
        match value {
            AttributeValue::Boolean(value) => json(body, value),
            AttributeValue::Integer(value) => json(body, value),
            value => json(body, &*value.text()),
        }
    }
    data(event, body);
    body.push(b'}');
    Ok(())
}

fn data(event: &Event, body: &mut Vec<u8>) {
    let bytes = event.data.bytes();
    let (as_json, as_text) = match event.data.kind() {
        Kind::Absent => return,
        Kind::Binary => (false, false),
        Kind::Json => (true, false),
        Kind::Text => (false, true),
        Kind::Opaque => {
            event
                .datacontenttype()
                .and_then(MediaType::parse)
                .map_or((false, false), |media| {
                    let json = media.is_json();
                    (json, !json && media.is_text() && media.is_utf8())
                })
        }
    };
    if as_json && serde_json::from_slice::<&RawValue>(bytes).is_ok() {
        member(body, "data", false);
        return body.extend_from_slice(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if as_text => {
            member(body, "data", false);
            json(body, text);
        }
        _ => {
            member(body, "data_base64", false);
            json(body, &STANDARD.encode(bytes));
        }
    }
}

fn member(body: &mut Vec<u8>, name: &str, first: bool) {
    body.extend_from_slice(if first { b"\"" } else { b",\"" });
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\":");
}

fn json<T: Serialize + ?Sized>(body: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(body, value)
        .expect("strings, booleans and integers are always written to a Vec");
}
