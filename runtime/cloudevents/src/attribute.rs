//! One attribute of an event.

use crate::name::{self, Name};
use crate::{AttributeValue, Error};

/// An attribute's name and value, and how a header wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Name,
    pub(crate) value: AttributeValue,
    /// How a header wrote the value, where that is allowed but not how this codec would write it.
    pub(crate) header: Option<Box<str>>,
}

impl Attribute {
    pub(crate) fn new(name: Name, value: AttributeValue) -> Self {
        Self {
            name,
            value,
            header: None,
        }
    }

    /// An attribute as a message has it.
    ///
    /// # Errors
    /// When its name or its value is not allowed.
    pub(crate) fn read(name: &str, value: AttributeValue) -> Result<Self, Error> {
        let (interned, rule) = name::intern(name);
        if matches!(&interned, Name::Owned(unknown) if !name::is_valid(unknown)) {
            return Err(Error::name(name));
        }
        let value = value.typed(rule);
        match value.validate(rule) {
            Ok(()) => Ok(Self::new(interned, value)),
            Err(problem) => Err(Error::attribute(name, problem)),
        }
    }
}
