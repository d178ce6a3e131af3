//! CloudEvents over HTTP 1.0.2: binary, structured and batched messages, requests and answers alike.

use std::borrow::Cow;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use crate::attribute::Attribute;
use crate::error::Problem;
use crate::mode::Mode;
use crate::{AttributeValue, Data, Error, Event, Limits, json, name, percent};

/// Most attributes that [`encode`] writes as headers. Servers take a limited number of header lines (hyper's 100), and
/// senders, gateways and meshes add theirs.
const MOST_HEADERS: usize = 64;

const SPEC_VERSION: HeaderName = HeaderName::from_static("ce-specversion");

/// What a message turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// One event.
    Event(Event),
    /// The events of a batch, possibly none.
    Batch(Vec<Event>),
    /// No CloudEvent: neither a `ce-specversion` header nor a CloudEvents media type is there.
    Other,
}

/// Reads a message. The events' data are slices of `body`.
///
/// # Errors
/// When a message calls itself a CloudEvent and is none, or is over a limit.
pub fn decode(headers: &HeaderMap, body: Bytes, limits: &Limits) -> Result<Message, Error> {
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let content_type = content_types.next();
    if content_types.any(|another| Some(another) != content_type) {
        return Err(Error::duplicate(CONTENT_TYPE.as_str()));
    }
    let content_type = content_type.map(HeaderValue::to_str).transpose();
    match Mode::of(content_type.as_ref().ok().copied().flatten())? {
        Mode::Structured => json::decode_within(body, limits).map(Message::Event),
        Mode::Batch => json::decode_batch_within(body, limits).map(Message::Batch),
        Mode::Binary if !headers.contains_key(SPEC_VERSION) => Ok(Message::Other),
        Mode::Binary => {
            let content_type = content_type
                .map_err(|_| Error::attribute("datacontenttype", Problem::MediaType))?;
            decode_binary(headers, content_type, body, limits).map(Message::Event)
        }
    }
}

/// Writes a message that any server takes: in binary mode, or structured if the event has more than 64 attributes.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode(event: &Event) -> Result<(HeaderMap, Bytes), Error> {
    if event.attributes.len() > MOST_HEADERS {
        encode_structured(event)
    } else {
        encode_binary(event)
    }
}

/// Writes a binary-mode message: attributes as headers, the data as the body.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode_binary(event: &Event) -> Result<(HeaderMap, Bytes), Error> {
    event.validate()?;
    let mut headers = HeaderMap::with_capacity(event.attributes.len() + 1);
    for attribute in event
        .attributes
        .iter()
        .filter(|a| a.name != "datacontenttype")
    {
        let header = name::header(&attribute.name)
            .map_or_else(
                || HeaderName::try_from(format!("ce-{}", attribute.name)),
                Ok,
            )
            .map_err(|_| Error::name(&attribute.name))?;
        let value = HeaderValue::from_str(&written(attribute))
            .map_err(|_| Error::attribute(&attribute.name, Problem::Character(0)))?;
        headers.insert(header, value);
    }
    if let Some(media_type) = event.implied_content_type() {
        let value = HeaderValue::from_str(media_type)
            .map_err(|_| Error::attribute("datacontenttype", Problem::MediaType))?;
        headers.insert(CONTENT_TYPE, value);
    }
    Ok((headers, event.data.bytes().clone()))
}

/// Writes a structured message: all of the event as one JSON body.
///
/// # Errors
/// When the event is not valid, such as without an id.
pub fn encode_structured(event: &Event) -> Result<(HeaderMap, Bytes), Error> {
    Ok((only_content_type(json::MEDIA_TYPE), json::encode(event)?))
}

/// Writes a batch. CloudEvents allows it only where the receiver asked for batches.
///
/// # Errors
/// When one of the events is not valid; the error says which.
pub fn encode_batch(events: &[Event]) -> Result<(HeaderMap, Bytes), Error> {
    Ok((
        only_content_type(json::BATCH_MEDIA_TYPE),
        json::encode_batch(events)?,
    ))
}

fn only_content_type(media_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))])
}

fn decode_binary(
    headers: &HeaderMap,
    content_type: Option<&str>,
    body: Bytes,
    limits: &Limits,
) -> Result<Event, Error> {
    limits.check_body(body.len())?;
    let mut attributes = Vec::with_capacity(8);
    let mut size = 0;
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix("ce-") else {
            continue;
        };
        if name == "datacontenttype" {
            return Err(Error::ContentTypeTwice);
        }
        size += name.len() + value.len();
        limits.check_attributes(size)?;
        attributes.push(read_attribute(name, value.as_bytes())?);
    }
    let data = if body.is_empty() {
        Data::absent()
    } else {
        Data::opaque(body)
    };
    Event::of_message(attributes, content_type, data)
}

/// Reads one attribute from a header of HTTP or NATS.
pub(crate) fn read_attribute(name: &str, value: &[u8]) -> Result<Attribute, Error> {
    let text = percent::decode(value).map_err(|problem| Error::attribute(name, problem))?;
    let header = match &text {
        Cow::Owned(text)
            if percent::is_encoded(value) && percent::encode(text).as_bytes() != value =>
        {
            Some(String::from_utf8_lossy(value).into())
        }
        _ => None,
    };
    Ok(Attribute {
        header,
        ..Attribute::read(name, AttributeValue::from(text))?
    })
}

/// An attribute as a header of HTTP or NATS carries it.
pub(crate) fn written(attribute: &Attribute) -> Cow<'_, str> {
    if let Some(header) = &attribute.header {
        return Cow::Borrowed(header);
    }
    match attribute.value.text() {
        Cow::Borrowed(text) => percent::encode(text),
        Cow::Owned(text) => Cow::Owned(percent::encode(&text).into_owned()),
    }
}

impl Event {
    /// An event of attributes that are already checked; `content_type` is their `datacontenttype`.
    pub(crate) fn of_message(
        mut attributes: Vec<Attribute>,
        content_type: Option<&str>,
        data: Data,
    ) -> Result<Self, Error> {
        if let Some(content_type) = content_type {
            attributes.push(Attribute::read("datacontenttype", content_type.into())?);
        }
        for (at, attribute) in attributes.iter().enumerate() {
            if attributes[..at]
                .iter()
                .any(|earlier| earlier.name == attribute.name)
            {
                return Err(Error::duplicate(&attribute.name));
            }
        }
        Self::decoded(attributes, data)
    }
}
