//! CloudEvents in NATS messages, as functions over header lists: structured as in 1.0.2, and binary as in the 1.0.3
//! draft.

use std::borrow::Cow;

use bytes::Bytes;

use crate::http::{Message, read_attribute, written};
use crate::mode::Mode;
use crate::{Data, Error, Event, Limits, json, percent};

const CONTENT_TYPE: &str = "Content-Type";
const DATA_CONTENT_TYPE: &str = "ce-datacontenttype";

/// Headers in order.
pub type Headers = Vec<(Cow<'static, str>, String)>;

/// Reads a message: [`Message::Event`], or [`Message::Other`] where it does not call itself a CloudEvent.
///
/// It does so by a CloudEvents media type, by a `ce-specversion` header, or, as 1.0.2 knows no headers, by being a JSON
/// object with a `specversion`. Header names are read without regard to case. Binary messages have their media type in
/// `ce-datacontenttype`; where only `Content-Type` is there, it is taken.
///
/// # Errors
/// When a message calls itself a CloudEvent and is none, or is over a limit.
pub fn decode<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    payload: Bytes,
    limits: &Limits,
) -> Result<Message, Error> {
    let headers: Vec<(&str, &str)> = headers.into_iter().collect();
    let content_type = find(&headers, CONTENT_TYPE);
    if Mode::of_single(content_type)? == Mode::Structured {
        return json::decode_within(payload, limits).map(Message::Event);
    }
    if find(&headers, "ce-specversion").is_some() {
        return binary(&headers, content_type, payload, limits).map(Message::Event);
    }
    if content_type.is_none() && json::has_specversion(&payload) {
        return json::decode_within(payload, limits).map(Message::Event);
    }
    Ok(Message::Other)
}

/// Writes a binary-mode message: attributes as `ce-` headers, percent-encoded as in HTTP, the data as the payload.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode_binary(event: &Event) -> Result<(Headers, Bytes), Error> {
    event.validate()?;
    let mut headers = Vec::with_capacity(event.attributes.len() + 1);
    for attribute in event
        .attributes
        .iter()
        .filter(|a| a.name != "datacontenttype")
    {
        headers.push((
            Cow::Owned(format!("ce-{}", attribute.name)),
            written(attribute).into_owned(),
        ));
    }
    if let Some(media_type) = event.implied_content_type() {
        headers.push((
            Cow::Borrowed(DATA_CONTENT_TYPE),
            percent::encode(media_type).into_owned(),
        ));
    }
    Ok((headers, event.data.bytes().clone()))
}

/// Writes a structured message: all of the event as a JSON payload, with a `Content-Type` that says so.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode_structured(event: &Event) -> Result<(Headers, Bytes), Error> {
    let payload = json::encode(event)?;
    Ok((
        vec![(Cow::Borrowed(CONTENT_TYPE), json::MEDIA_TYPE.to_owned())],
        payload,
    ))
}

fn find<'a>(headers: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
}

fn binary(
    headers: &[(&str, &str)],
    content_type: Option<&str>,
    payload: Bytes,
    limits: &Limits,
) -> Result<Event, Error> {
    limits.check_body(payload.len())?;
    let mut attributes = Vec::with_capacity(headers.len() + 1);
    let mut size = 0;
    for (header, value) in headers {
        if !header
            .get(..3)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("ce-"))
        {
            continue;
        }
        size += header.len() + value.len();
        limits.check_attributes(size)?;
        let name = header[3..].to_ascii_lowercase();
        attributes.push(read_attribute(&name, value.as_bytes())?);
    }
    let declared = attributes
        .iter()
        .any(|attribute| attribute.name == "datacontenttype");
    let data = if payload.is_empty() {
        Data::absent()
    } else {
        Data::opaque(payload)
    };
    Event::of_message(attributes, content_type.filter(|_| !declared), data)
}
