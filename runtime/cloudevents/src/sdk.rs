//! Conversion from and to the event of cloudevents-sdk, for code that has one already.
//!
//! That type is not lossless: it rewrites times and `dataschema`, parses JSON data, and knows extensions as text,
//! booleans and integers alone. So an event that passes through it may come out written differently.

use cloudevents::event::{
    AttributesReader, AttributesWriter, EventBuilder, ExtensionValue, TryIntoUrl,
};
use cloudevents::{Data as SdkData, EventBuilderV10};

use crate::data::Kind;
use crate::error::Problem;
use crate::{AttributeValue, Data, Error, Event, MediaType};

impl TryFrom<Event> for cloudevents::Event {
    type Error = Error;

    /// # Errors
    /// When the event is not valid, or has a time or a `dataschema` that the SDK does not read.
    fn try_from(event: Event) -> Result<Self, Error> {
        event.validate()?;
        let mut builder = EventBuilderV10::new()
            .id(event.id())
            .source(event.source())
            .ty(event.ty());
        if let Some(subject) = event.subject() {
            builder = builder.subject(subject);
        }
        if let Some(time) = event.time() {
            builder = builder.time(time);
        }
        for (name, value) in event.attributes().filter(|(name, _)| !CORE.contains(name)) {
            let value = match value {
                AttributeValue::Boolean(value) => ExtensionValue::Boolean(*value),
                AttributeValue::Integer(value) => ExtensionValue::Integer((*value).into()),
                value => ExtensionValue::String(value.text().into_owned()),
            };
            builder = builder.extension(name, value);
        }
        let mut theirs = builder
            .build()
            .map_err(|_| Error::attribute("time", Problem::Timestamp))?;
        if let Some(schema) = event.dataschema() {
            let schema = schema
                .into_url()
                .map_err(|_| Error::attribute("dataschema", Problem::Uri))?;
            theirs.set_dataschema(Some(schema));
        }
        theirs.set_datacontenttype(event.implied_content_type());
        if let Some(data) = to_sdk(&event) {
            theirs.set_data_unchecked(data);
        }
        Ok(theirs)
    }
}

impl TryFrom<cloudevents::Event> for Event {
    type Error = Error;

    /// # Errors
    /// When an attribute is not what CloudEvents allows, which the SDK does not check.
    fn try_from(mut theirs: cloudevents::Event) -> Result<Self, Error> {
        let (content_type, schema, data) = theirs.take_data();
        let data = data.map_or_else(Data::absent, |data| match data {
            SdkData::Binary(bytes) => Data::binary(bytes),
            SdkData::String(text) => Data::text(text),
            SdkData::Json(value) => Data::json(value.to_string()),
        });
        let mut event = Event::new(theirs.ty(), data);
        event.set_attribute("type", theirs.ty())?;
        event.set_attribute("id", theirs.id())?;
        event.set_attribute("source", theirs.source().as_str())?;
        if let Some(subject) = theirs.subject() {
            event.set_attribute("subject", subject)?;
        }
        if let Some(time) = theirs.time() {
            event.set_attribute("time", time.to_rfc3339())?;
        }
        if let Some(content_type) = content_type {
            event.set_attribute("datacontenttype", content_type)?;
        }
        if let Some(schema) = schema {
            event.set_attribute("dataschema", schema.as_str())?;
        }
        for (name, value) in theirs.iter_extensions() {
            let value = match value {
                ExtensionValue::String(text) => AttributeValue::from(text.as_str()),
                ExtensionValue::Boolean(value) => AttributeValue::Boolean(*value),
                ExtensionValue::Integer(value) => i32::try_from(*value)
                    .map(AttributeValue::Integer)
                    .map_err(|_| Error::attribute(name, Problem::Integer))?,
            };
            event.set_attribute(name, value)?;
        }
        Ok(event)
    }
}

const CORE: [&str; 8] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
];

fn to_sdk(event: &Event) -> Option<SdkData> {
    let bytes = event.data.bytes();
    let json = event
        .implied_content_type()
        .and_then(MediaType::parse)
        .is_some_and(|m| m.is_json());
    match event.data.kind() {
        Kind::Absent => None,
        Kind::Binary => Some(SdkData::Binary(bytes.to_vec())),
        Kind::Text if !json => Some(SdkData::String(String::from_utf8_lossy(bytes).into_owned())),
        _ if json => match serde_json::from_slice(bytes) {
            Ok(value) => Some(SdkData::Json(value)),
            Err(_) => Some(SdkData::Binary(bytes.to_vec())),
        },
        _ => Some(SdkData::Binary(bytes.to_vec())),
    }
}
