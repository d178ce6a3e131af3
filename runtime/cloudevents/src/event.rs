//! The event.

use std::borrow::Cow;

use bytes::Bytes;

use crate::attribute::Attribute;
use crate::data::Kind;
use crate::name;
use crate::{AttributeValue, Data, DataError, Error, FromData, IntoData};

/// A CloudEvent whose data is a `T`; [`Data`] is what came over the wire.
///
/// Attributes keep their order, type and exact text. An event is written only when it is a valid one, so a builder
/// method takes any value and an encoder says what is wrong with it; [`set_attribute`](Self::set_attribute) says so
/// at once.
#[derive(Clone, Debug)]
pub struct Event<T = Data> {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) data: T,
    /// The structured message this event was read from, as long as nobody changed it.
    pub(crate) envelope: Option<Bytes>,
}

impl<T> Event<T> {
    /// An event of the type `ty`, still without the `id` and `source` that it needs to be sent.
    pub fn new(ty: impl Into<String>, data: T) -> Self {
        let mut event = Self {
            attributes: Vec::with_capacity(8),
            data,
            envelope: None,
        };
        event.put(Attribute::new("specversion".into(), "1.0".into()));
        event.put(Attribute::new(
            "type".into(),
            AttributeValue::String(ty.into()),
        ));
        event
    }

    /// What identifies the event among those of its source; empty as long as it has none.
    pub fn id(&self) -> &str {
        self.core("id").unwrap_or_default()
    }

    /// Where it comes from, a URI-reference; empty as long as it has none.
    pub fn source(&self) -> &str {
        self.core("source").unwrap_or_default()
    }

    /// Its type.
    pub fn ty(&self) -> &str {
        self.core("type").unwrap_or_default()
    }

    /// What it is about, within its source.
    pub fn subject(&self) -> Option<&str> {
        self.core("subject")
    }

    /// When it happened (RFC 3339), in the sender's own text.
    pub fn time(&self) -> Option<&str> {
        self.core("time")
    }

    /// The media type of its data. Where it is absent, data that came as a JSON member is `application/json`.
    pub fn datacontenttype(&self) -> Option<&str> {
        self.core("datacontenttype")
    }

    /// The schema that its data follows.
    pub fn dataschema(&self) -> Option<&str> {
        self.core("dataschema")
    }

    /// The text of `partitionkey`; an empty one is none.
    pub fn partition_key(&self) -> Option<Cow<'_, str>> {
        self.text("partitionkey").filter(|key| !key.is_empty())
    }

    /// The attribute `name`, extension or not.
    pub fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| &attribute.value)
    }

    /// The canonical text of the attribute `name`, extension or not.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.attribute(name).map(AttributeValue::text)
    }

    /// All attributes, `specversion` among them, in the order in which they came or were set.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.attributes
            .iter()
            .map(|attribute| (&*attribute.name, &attribute.value))
    }

    /// Sets the attribute `name` in its place, or adds it at the end.
    ///
    /// # Errors
    /// When the name is none, or the value not one that this attribute may have; the event is then as it was.
    pub fn set_attribute(
        &mut self,
        name: &str,
        value: impl Into<AttributeValue>,
    ) -> Result<(), Error> {
        let attribute = Attribute::read(name, value.into())?;
        self.put(attribute);
        Ok(())
    }

    /// Takes the attribute `name` away, if it is there.
    pub fn remove_attribute(&mut self, name: &str) {
        let before = self.attributes.len();
        self.attributes.retain(|attribute| attribute.name != name);
        if self.attributes.len() != before {
            self.envelope = None;
        }
    }

    /// This event with an `id`.
    pub fn with_id(self, id: impl Into<String>) -> Self {
        self.with_extension("id", id.into())
    }

    /// This event with a `source`, a URI-reference.
    pub fn with_source(self, source: impl Into<String>) -> Self {
        self.with_extension("source", source.into())
    }

    /// This event with a `subject`.
    pub fn with_subject(self, subject: impl Into<String>) -> Self {
        self.with_extension("subject", subject.into())
    }

    /// This event with a `time`: a [`SystemTime`](std::time::SystemTime), or text as RFC 3339 writes it.
    pub fn with_time(self, time: impl Into<AttributeValue>) -> Self {
        self.with_extension("time", time)
    }

    /// This event with the media type of its data.
    pub fn with_datacontenttype(self, media_type: impl Into<String>) -> Self {
        self.with_extension("datacontenttype", media_type.into())
    }

    /// This event with a `dataschema`, an absolute URI.
    pub fn with_dataschema(self, uri: impl Into<String>) -> Self {
        self.with_extension("dataschema", uri.into())
    }

    /// This event with an extension. A name or a value that CloudEvents does not allow is refused when the event is
    /// encoded, by [`validate`](Self::validate) before that.
    pub fn with_extension(
        mut self,
        name: impl AsRef<str>,
        value: impl Into<AttributeValue>,
    ) -> Self {
        let (name, rule) = name::intern(name.as_ref());
        self.put(Attribute::new(name, value.into().typed(rule)));
        self
    }

    /// Checks that `id`, `source` and `type` are there and that every attribute is what it has to be.
    ///
    /// # Errors
    /// The first attribute that is not.
    pub fn validate(&self) -> Result<(), Error> {
        for required in ["specversion", "id", "source", "type"] {
            if self.attribute(required).is_none() {
                return Err(Error::Missing(required));
            }
        }
        for (name, value) in self.attributes() {
            if !name::is_valid(name) {
                return Err(Error::name(name));
            }
            let rule = name::rule(name);
            value
                .validate(rule)
                .map_err(|problem| Error::attribute(name, problem))?;
        }
        Ok(())
    }

    /// The data.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// The data alone.
    pub fn into_data(self) -> T {
        self.data
    }

    /// The same event with other data.
    pub fn map_data<U>(self, map: impl FnOnce(T) -> U) -> Event<U> {
        Event {
            attributes: self.attributes,
            data: map(self.data),
            envelope: None,
        }
    }

    /// The same event with other data, if `map` finds some.
    ///
    /// # Errors
    /// What `map` returns.
    pub fn try_map_data<U, E>(self, map: impl FnOnce(T) -> Result<U, E>) -> Result<Event<U>, E> {
        Ok(Event {
            attributes: self.attributes,
            data: map(self.data)?,
            envelope: None,
        })
    }

    /// The same event with its data as the wire has it; `datacontenttype` becomes what the type says, if it has none.
    ///
    /// # Errors
    /// When the data cannot be written.
    pub fn into_raw(self) -> Result<Event, DataError>
    where
        T: IntoData,
    {
        let (data, media_type) = self.data.into_data()?;
        let mut event = Event {
            attributes: self.attributes,
            data,
            envelope: None,
        };
        if let (Some(media_type), None) = (media_type, event.datacontenttype()) {
            event.put(Attribute::new("datacontenttype".into(), media_type.into()));
        }
        Ok(event)
    }

    fn core(&self, name: &str) -> Option<&str> {
        self.attribute(name).and_then(AttributeValue::as_str)
    }

    fn put(&mut self, attribute: Attribute) {
        self.envelope = None;
        match self
            .attributes
            .iter_mut()
            .find(|present| present.name == attribute.name)
        {
            Some(present) => *present = attribute,
            None => self.attributes.push(attribute),
        }
    }
}

impl Event {
    /// The same event with its data read as a `T`; `Event<Data>` keeps every byte.
    ///
    /// # Errors
    /// When the data is not what `T` reads; the error says where.
    pub fn parse<T: FromData>(&self) -> Result<Event<T>, DataError> {
        let data = T::from_data(&self.data, self.datacontenttype())?;
        Ok(Event {
            attributes: self.attributes.clone(),
            data,
            envelope: None,
        })
    }

    /// An event as a decoder found it: its attributes are checked, the required ones looked for.
    pub(crate) fn decoded(attributes: Vec<Attribute>, data: Data) -> Result<Self, Error> {
        let event = Self {
            attributes,
            data,
            envelope: None,
        };
        for required in ["specversion", "id", "source", "type"] {
            if event.attribute(required).is_none() {
                return Err(Error::Missing(required));
            }
        }
        Ok(event)
    }

    /// The media type to declare where a message must say what the event leaves implied.
    pub(crate) fn implied_content_type(&self) -> Option<&str> {
        let implied = match self.data.kind() {
            Kind::Json => Some("application/json"),
            Kind::Text => Some(TEXT),
            Kind::Absent | Kind::Binary | Kind::Opaque => None,
        };
        self.datacontenttype().or(implied)
    }
}

/// What text is as long as nobody says more.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

impl<T: PartialEq> PartialEq for Event<T> {
    /// Equal data and equal attributes, in whatever order.
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
            && self.attributes.len() == other.attributes.len()
            && self
                .attributes()
                .all(|(name, value)| other.attribute(name) == Some(value))
    }
}
