//! Writing the JSON format: attributes in the event's own order, the data as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::data::Kind;
use crate::event::TEXT;
use crate::{AttributeValue, Error, Event, MediaType};

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
    match form(event) {
        Form::None => {}
        Form::Json => {
            member(body, "data", false);
            body.extend_from_slice(event.data.bytes());
        }
        Form::Text(text) => {
            // Without a media type `data` would be read as JSON.
            if event.datacontenttype().is_none() {
                member(body, "datacontenttype", false);
                json(body, TEXT);
            }
            member(body, "data", false);
            json(body, text);
        }
        Form::Base64 => {
            member(body, "data_base64", false);
            json(body, &STANDARD.encode(event.data.bytes()));
        }
    }
    body.push(b'}');
    Ok(())
}

/// How data stands in the JSON object.
enum Form<'a> {
    None,
    Json,
    Text(&'a str),
    Base64,
}

/// The form from which exactly these bytes are read again: a declared media type decides, then what is known of the
/// bytes; base64 carries what is not what it is declared to be.
fn form(event: &Event) -> Form<'_> {
    let bytes = event.data.bytes();
    let media = event.datacontenttype().and_then(MediaType::parse);
    let (json, text) = match (event.data.kind(), media) {
        (Kind::Absent, _) => return Form::None,
        (Kind::Binary, _) | (Kind::Opaque, None) => (false, false),
        (Kind::Json, None) => (true, false),
        (Kind::Text, None) => (false, true),
        (_, Some(media)) if media.is_json() => (true, false),
        (Kind::Opaque, Some(media)) => (false, media.is_text() && media.is_utf8()),
        (Kind::Json | Kind::Text, Some(media)) => (false, media.is_utf8()),
    };
    if json && serde_json::from_slice::<&RawValue>(bytes).is_ok() {
        return Form::Json;
    }
    match std::str::from_utf8(bytes) {
        Ok(content) if text => Form::Text(content),
        _ => Form::Base64,
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
