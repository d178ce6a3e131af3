//! CloudEvents in Kafka records 1.0.2, as functions over header lists.

use std::borrow::Cow;

use bytes::Bytes;

use crate::attribute::Attribute;
use crate::error::Problem;
use crate::http::Message;
use crate::mode::Mode;
use crate::{Data, Error, Event, Limits, MediaType, json};

const CONTENT_TYPE: &str = "content-type";
const PLAIN_JSON: &str = "application/json";

/// The parts of a record that carry an event. The record's key is the sender's to choose; see [`key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Headers in order.
    pub headers: Vec<(Cow<'static, str>, Bytes)>,
    /// The value; `None` is a record without one, which a compacted topic takes for a tombstone.
    pub value: Option<Bytes>,
}

/// Reads a record: [`Message::Event`], or [`Message::Other`] where neither `ce_specversion` nor a CloudEvents media
/// type is there. A header without a value is one that is not there. There are no batches in Kafka.
///
/// Not in the specification: a value that is a structured event from end to end is one, also where no header says so and
/// the media type is absent or `application/json`.
///
/// # Errors
/// When a record calls itself a CloudEvent and is none, or is over a limit.
pub fn decode<'a>(
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    value: Option<Bytes>,
    limits: &Limits,
) -> Result<Message, Error> {
    let headers: Vec<(&str, &[u8])> = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let content_type = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE));
    let content_type = content_type
        .map(|(_, value)| std::str::from_utf8(value))
        .transpose();
    if Mode::of_single(content_type.ok().flatten())? == Mode::Structured {
        return json::decode_within(value.ok_or(Error::NoBody)?, limits).map(Message::Event);
    }
    if !headers.iter().any(|(name, _)| *name == "ce_specversion") {
        return Ok(unannounced(content_type.ok().flatten(), value, limits));
    }
    let content_type =
        content_type.map_err(|_| Error::attribute("datacontenttype", Problem::MediaType))?;
    limits.check_body(value.as_ref().map_or(0, Bytes::len))?;
    let mut attributes = Vec::with_capacity(headers.len());
    let mut size = 0;
    for (header, value) in headers {
        let Some(name) = header.strip_prefix("ce_") else {
            continue;
        };
        size += name.len() + value.len();
        limits.check_attributes(size)?;
        attributes.push(attribute(name, value)?);
    }
    let data = value.map_or_else(Data::absent, Data::opaque);
    Event::of_message(attributes, content_type, data).map(Message::Event)
}

/// Writes a binary-mode record: attributes as `ce_` headers in UTF-8, the data as the value.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode_binary(event: &Event) -> Result<Record, Error> {
    event.validate()?;
    let mut headers = Vec::with_capacity(event.attributes.len() + 1);
    for attribute in event
        .attributes
        .iter()
        .filter(|a| a.name != "datacontenttype")
    {
        let header = Cow::Owned(format!("ce_{}", attribute.name));
        headers.push((header, Bytes::from(attribute.value.text().into_owned())));
    }
    if let Some(media_type) = event.implied_content_type() {
        headers.push((
            Cow::Borrowed(CONTENT_TYPE),
            Bytes::copy_from_slice(media_type.as_bytes()),
        ));
    }
    let value = (!event.data.is_absent()).then(|| event.data.bytes().clone());
    Ok(Record { headers, value })
}

/// Writes a structured record: all of the event as a JSON value.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode_structured(event: &Event) -> Result<Record, Error> {
    let media_type = Bytes::from_static(json::MEDIA_TYPE.as_bytes());
    Ok(Record {
        headers: vec![(Cow::Borrowed(CONTENT_TYPE), media_type)],
        value: Some(json::encode(event)?),
    })
}

/// The key mapper of the specification: the text of `partitionkey`, as it is. The event keeps the attribute.
pub fn key<T>(event: &Event<T>) -> Option<Bytes> {
    event
        .partition_key()
        .map(|key| Bytes::from(key.into_owned()))
}

/// Reads a record whose headers say nothing of CloudEvents. A console producer writes structured events so, and the
/// CloudEvents SDK of Python names the media type of their data. No claim was made, so what is not right is no error.
fn unannounced(content_type: Option<&str>, value: Option<Bytes>, limits: &Limits) -> Message {
    let may_be_one = content_type.is_none_or(|text| {
        MediaType::parse(text).is_some_and(|media| media.essence.eq_ignore_ascii_case(PLAIN_JSON))
    });
    match value.filter(|value| may_be_one && json::has_specversion(value)) {
        Some(value) => json::decode_within(value, limits).map_or(Message::Other, Message::Event),
        None => Message::Other,
    }
}

fn attribute(name: &str, value: &[u8]) -> Result<Attribute, Error> {
    if name == "datacontenttype" {
        return Err(Error::ContentTypeTwice);
    }
    let text = std::str::from_utf8(value).map_err(|_| Error::attribute(name, Problem::Utf8))?;
    Attribute::read(name, text.into())
}
