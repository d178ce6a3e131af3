//! Reading the JSON format in one pass, borrowing the data from the input.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::member::Member;
use crate::attribute::Attribute;
use crate::error::Problem;
use crate::{Data, Error, Event, Limits, MediaType, name};

/// Reads one event out of `body`.
pub(super) fn event(body: Bytes, limits: &Limits) -> Result<Event, Error> {
    let mut envelope = Envelope::new(limits);
    let mut parser = serde_json::Deserializer::from_str(text(&body)?);
    let parsed = (&mut envelope)
        .deserialize(&mut parser)
        .and_then(|()| parser.end());
    if let Err(error) = parsed {
        return Err(envelope
            .refusal
            .unwrap_or_else(|| syntax(&error, "a JSON object")));
    }
    let Envelope {
        attributes,
        data,
        data_base64,
        ..
    } = envelope;
    let data = self::data(&body, media_type(&attributes), data, data_base64)?;
    let mut event = Event::decoded(attributes, data)?;
    event.envelope = Some(body);
    Ok(event)
}

/// Reads the events of the array that `body` is.
pub(super) fn batch(body: Bytes, limits: &Limits) -> Result<Vec<Event>, Error> {
    let mut members = Members {
        limits,
        found: Vec::new(),
        refusal: None,
    };
    let mut parser = serde_json::Deserializer::from_str(text(&body)?);
    let parsed = (&mut members)
        .deserialize(&mut parser)
        .and_then(|()| parser.end());
    if let Err(error) = parsed {
        return Err(members
            .refusal
            .unwrap_or_else(|| syntax(&error, "a JSON array")));
    }
    let read = |(index, member): (usize, &RawValue)| {
        event(body.slice_ref(member.get().as_bytes()), limits).map_err(|error| Error::InBatch {
            index,
            error: Box::new(error),
        })
    };
    members.found.into_iter().enumerate().map(read).collect()
}

/// Checked once, so that the parser need not check string by string.
fn text(body: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(body).map_err(|_| Error::Json {
        reason: "it is not UTF-8".to_owned(),
    })
}

/// The parser's words for broken JSON; what it says of broken types would cite the value.
fn syntax(error: &serde_json::Error, shape: &'static str) -> Error {
    if error.is_data() {
        Error::Shape(shape)
    } else {
        Error::Json {
            reason: error.to_string(),
        }
    }
}

fn media_type(attributes: &[Attribute]) -> Option<&str> {
    attributes
        .iter()
        .find(|attribute| attribute.name == "datacontenttype")
        .and_then(|a| a.value.as_str())
}

fn data(
    body: &Bytes,
    media_type: Option<&str>,
    data: Option<&RawValue>,
    base64: Option<Cow<'_, str>>,
) -> Result<Data, Error> {
    match (data, base64) {
        (Some(_), Some(_)) => Err(Error::BothData),
        (None, None) => Ok(Data::absent()),
        (None, Some(text)) => STANDARD
            .decode(text.as_bytes())
            .map(Data::binary)
            .map_err(|_| Error::Base64),
        (Some(raw), None)
            if media_type
                .is_none_or(|text| MediaType::parse(text).is_some_and(|m| m.is_json())) =>
        {
            Ok(Data::json(body.slice_ref(raw.get().as_bytes())))
        }
        (Some(raw), None) => match serde_json::from_str::<Text<'_>>(raw.get()) {
            Ok(Text(Cow::Borrowed(text))) => Ok(Data::shared_text(body.slice_ref(text.as_bytes()))),
            Ok(Text(Cow::Owned(text))) => Ok(Data::text(text)),
            Err(_) => Err(Error::DataNotText),
        },
    }
}

/// A JSON string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What the members of an event's object are gathered in.
struct Envelope<'a, 'l> {
    limits: &'l Limits,
    attributes: Vec<Attribute>,
    size: usize,
    data: Option<&'a RawValue>,
    data_base64: Option<Cow<'a, str>>,
    /// Why the object was refused. serde's own errors cannot carry it.
    refusal: Option<Error>,
}

impl<'l> Envelope<'_, 'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            attributes: Vec::with_capacity(8),
            size: 0,
            data: None,
            data_base64: None,
            refusal: None,
        }
    }

    fn add(&mut self, name: &str, value: Member<'_>) -> Result<(), Error> {
        let value = match value {
            Member::Null if name::is_valid(name) => return Ok(()),
            Member::Null => return Err(Error::name(name)),
            Member::Value(value) => value,
            Member::Text(text) => text.into(),
            // What has to be a string is no better as a whole number.
            Member::Not(Problem::Integer) if name::rule(name) != name::Rule::Any => {
                return Err(Error::attribute(name, Problem::NotText));
            }
            Member::Not(problem) => return Err(Error::attribute(name, problem)),
        };
        let attribute = Attribute::read(name, value)?;
        if self.attributes.iter().any(|earlier| earlier.name == name) {
            return Err(Error::duplicate(name));
        }
        self.size += name.len() + attribute.value.as_str().map_or(4, str::len);
        self.limits.check_attributes(self.size)?;
        self.attributes.push(attribute);
        Ok(())
    }
}

impl<'a> Envelope<'a, '_> {
    fn member<A: MapAccess<'a>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<Result<(), Error>, A::Error> {
        match name {
            "data" => {
                let raw = map.next_value()?;
                Ok(match self.data.replace(raw) {
                    Some(_) => Err(Error::duplicate(name)),
                    None => Ok(()),
                })
            }
            "data_base64" => Ok(match map.next_value::<Member<'a>>()? {
                Member::Null => Ok(()),
                Member::Text(text) => match self.data_base64.replace(text) {
                    Some(_) => Err(Error::duplicate(name)),
                    None => Ok(()),
                },
                _ => Err(Error::Base64),
            }),
            _ => {
                let value = map.next_value()?;
                Ok(self.add(name, value))
            }
        }
    }
}

impl<'a> DeserializeSeed<'a> for &mut Envelope<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for &mut Envelope<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            if let Err(refusal) = self.member(&name, &mut map)? {
                self.refusal = Some(refusal);
                return Err(serde::de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// What the elements of a batch's array are gathered in.
struct Members<'a, 'l> {
    limits: &'l Limits,
    found: Vec<&'a RawValue>,
    refusal: Option<Error>,
}

impl<'a> DeserializeSeed<'a> for &mut Members<'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for &mut Members<'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of CloudEvents")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(member) = seq.next_element()? {
            self.found.push(member);
            if let Err(refusal) = self.limits.check_batch(self.found.len()) {
                self.refusal = Some(refusal);
                return Err(serde::de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}
