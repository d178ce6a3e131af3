//! The other side of the export: reads OTLP/HTTP trace requests, for whoever wants to show spans himself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::context::{SpanId, TraceFlags, TraceId};
pub use crate::otlp::reader::DecodeError;
use crate::otlp::reader::{Field, Reader};
use crate::span::Kind;

/// How deep arrays and maps are read into one another.
const MAX_DEPTH: u32 = 16;

/// One span as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedSpan {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span above it.
    pub parent: Option<SpanId>,
    /// What it stands for.
    pub name: String,
    /// `service.name` of who sent it.
    pub service: String,
    /// Which side of which call.
    pub kind: Kind,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// How it came out.
    pub status: Status,
    /// What it says about itself, in the order sent.
    pub attributes: Vec<(String, ReceivedValue)>,
    /// Other spans it has to do with.
    pub links: Vec<ReceivedLink>,
    /// W3C flags.
    pub flags: TraceFlags,
    /// Whether its parent is in another process, where the sender says so.
    pub parent_is_remote: Option<bool>,
    /// W3C `tracestate`.
    pub tracestate: String,
}

/// Another span that a span has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedLink {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
}

/// How a span came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing is said.
    #[default]
    Unset,
    /// Explicitly well.
    Ok,
    /// Not well, and what is said about it.
    Error(String),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceivedValue {
    /// Nothing.
    Empty,
    /// Text.
    Str(String),
    /// A truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Double(f64),
    /// Values in order.
    Array(Vec<ReceivedValue>),
    /// Values by name.
    Map(Vec<(String, ReceivedValue)>),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Reads the body of a `POST /v1/traces` (`application/x-protobuf`), decompressed.
///
/// # Errors
/// The first thing in it that is not OTLP. Fields that are not known are passed over.
pub fn decode(body: &[u8]) -> Result<Vec<ReceivedSpan>, DecodeError> {
    let mut spans = Vec::new();
    for field in Reader::new(body).numbered(1) {
        resource_spans(field?.bytes()?, &mut spans)?;
    }
    Ok(spans)
}

fn resource_spans(message: &[u8], spans: &mut Vec<ReceivedSpan>) -> Result<(), DecodeError> {
    let mut service = String::new();
    for field in Reader::new(message).numbered(1) {
        for field in Reader::new(field?.bytes()?).numbered(1) {
            match key_value(field?.bytes()?, 0)? {
                (key, ReceivedValue::Str(name)) if key == "service.name" => service = name,
                _ => {}
            }
        }
    }
    for field in Reader::new(message).numbered(2) {
        for field in Reader::new(field?.bytes()?).numbered(2) {
            spans.push(span(field?.bytes()?, &service)?);
        }
    }
    Ok(())
}

fn span(message: &[u8], service: &str) -> Result<ReceivedSpan, DecodeError> {
    let mut span = Partial::default();
    for field in Reader::new(message) {
        let field = field?;
        match field.number {
            1 => span.trace_id = trace_id(&field)?,
            2 => span.span_id = span_id(&field)?,
            3 => span.tracestate = field.text()?,
            4 => span.parent = span_id(&field)?,
            5 => span.name = field.text()?,
            6 => span.kind = kind(field.varint()?),
            7 => span.start = time(field.fixed64()?),
            8 => span.end = time(field.fixed64()?),
            9 => span.attributes.push(key_value(field.bytes()?, 0)?),
            13 => span.links.push(link(field.bytes()?)?),
            15 => span.status = status(field.bytes()?)?,
            16 => span.flags = field.fixed32()?,
            _ => {}
        }
    }
    Ok(ReceivedSpan {
        trace_id: span.trace_id.ok_or(DecodeError::Id)?,
        span_id: span.span_id.ok_or(DecodeError::Id)?,
        parent: span.parent,
        name: span.name,
        service: service.to_owned(),
        kind: span.kind.unwrap_or(Kind::Internal),
        start: span.start.unwrap_or(UNIX_EPOCH),
        end: span.end.unwrap_or(UNIX_EPOCH),
        status: span.status,
        attributes: span.attributes,
        links: span.links,
        flags: TraceFlags::from_bits(span.flags as u8),
        parent_is_remote: (span.flags & 0x100 != 0).then_some(span.flags & 0x200 != 0),
        tracestate: span.tracestate,
    })
}

#[derive(Default)]
struct Partial {
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    parent: Option<SpanId>,
    name: String,
    kind: Option<Kind>,
    start: Option<SystemTime>,
    end: Option<SystemTime>,
    status: Status,
    attributes: Vec<(String, ReceivedValue)>,
    links: Vec<ReceivedLink>,
    flags: u32,
    tracestate: String,
}

fn trace_id(field: &Field<'_>) -> Result<Option<TraceId>, DecodeError> {
    Ok(field.bytes()?.try_into().ok().and_then(TraceId::from_bytes))
}

fn span_id(field: &Field<'_>) -> Result<Option<SpanId>, DecodeError> {
    Ok(field.bytes()?.try_into().ok().and_then(SpanId::from_bytes))
}

fn kind(number: u64) -> Option<Kind> {
    use Kind::{Client, Consumer, Internal, Producer, Server};
    let kinds = [Internal, Server, Client, Producer, Consumer];
    kinds.into_iter().find(|kind| *kind as u64 == number)
}

fn time(nanoseconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanoseconds))
}

fn status(message: &[u8]) -> Result<Status, DecodeError> {
    let (mut code, mut text) = (0, String::new());
    for field in Reader::new(message) {
        let field = field?;
        match field.number {
            2 => text = field.text()?,
            3 => code = field.varint()?,
            _ => {}
        }
    }
    Ok(match code {
        1 => Status::Ok,
        2 => Status::Error(text),
        _ => Status::Unset,
    })
}

fn link(message: &[u8]) -> Result<ReceivedLink, DecodeError> {
    let (mut trace, mut span) = (None, None);
    for field in Reader::new(message) {
        let field = field?;
        match field.number {
            1 => trace = trace_id(&field)?,
            2 => span = span_id(&field)?,
            _ => {}
        }
    }
    let trace_id = trace.ok_or(DecodeError::Id)?;
    let span_id = span.ok_or(DecodeError::Id)?;
    Ok(ReceivedLink { trace_id, span_id })
}

fn key_value(message: &[u8], depth: u32) -> Result<(String, ReceivedValue), DecodeError> {
    let (mut key, mut value) = (String::new(), ReceivedValue::Empty);
    for field in Reader::new(message) {
        let field = field?;
        match field.number {
            1 => key = field.text()?,
            2 => value = any_value(field.bytes()?, depth)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any_value(message: &[u8], depth: u32) -> Result<ReceivedValue, DecodeError> {
    if depth == MAX_DEPTH {
        return Err(DecodeError::Depth);
    }
    let mut value = ReceivedValue::Empty;
    for field in Reader::new(message) {
        let field = field?;
        value = match field.number {
            1 => ReceivedValue::Str(field.text()?),
            2 => ReceivedValue::Bool(field.varint()? != 0),
            3 => ReceivedValue::Int(field.varint()? as i64),
            4 => ReceivedValue::Double(f64::from_bits(field.fixed64()?)),
            5 => {
                let items = Reader::new(field.bytes()?).numbered(1);
                let items = items.map(|item| any_value(item?.bytes()?, depth + 1));
                ReceivedValue::Array(items.collect::<Result<_, _>>()?)
            }
            6 => {
                let items = Reader::new(field.bytes()?).numbered(1);
                let items = items.map(|item| key_value(item?.bytes()?, depth + 1));
                ReceivedValue::Map(items.collect::<Result<_, _>>()?)
            }
            7 => ReceivedValue::Bytes(field.bytes()?.to_vec()),
            _ => value,
        };
    }
    Ok(value)
}

impl ReceivedSpan {
    /// The attribute of that name.
    pub fn attribute(&self, key: &str) -> Option<&ReceivedValue> {
        self.attributes
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }

    /// How long it took.
    pub fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }
}

impl ReceivedValue {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
