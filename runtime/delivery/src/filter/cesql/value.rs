//! The three types, what is cast into what, and what may go wrong.

use std::borrow::Cow;
use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number of 32 bits.
    Integer(i32),
    /// Text; also a URI, a time, or bytes in base64.
    String(Cow<'a, str>),
}

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Integer,
    /// Text.
    String,
}

/// What went wrong first. What it happened in has a value all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A result that no integer can hold, or a division by 0.
    Math,
    /// What cannot be cast.
    Cast,
    /// The event has no such attribute.
    MissingAttribute,
    /// A function that cannot do this with these arguments.
    FunctionEvaluation,
}

impl Value<'_> {
    /// Its type.
    pub fn of_type(&self) -> Type {
        match self {
            Self::Boolean(_) => Type::Boolean,
            Self::Integer(_) => Type::Integer,
            Self::String(_) => Type::String,
        }
    }
}

impl<'a> Value<'a> {
    /// As a boolean: an integer is true unless it is 0, text is `true` or `false` in any case.
    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        match self {
            Self::Boolean(value) => Ok(*value),
            Self::Integer(value) => Ok(*value != 0),
            Self::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Self::String(_) => Err(Problem::Cast),
        }
    }

    /// As an integer: text in base 10, with or without a sign.
    pub(super) fn integer(&self) -> Result<i32, Problem> {
        match self {
            Self::Boolean(value) => Ok(i32::from(*value)),
            Self::Integer(value) => Ok(*value),
            Self::String(text) => text.parse().map_err(|_| Problem::Cast),
        }
    }

    /// As text.
    pub(super) fn string(self) -> Cow<'a, str> {
        match self {
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Integer(value) => Cow::Owned(value.to_string()),
            Self::String(text) => text,
        }
    }

    /// As this type.
    pub(super) fn cast(self, to: Type) -> Result<Self, Problem> {
        match to {
            Type::Boolean => self.boolean().map(Self::Boolean),
            Type::Integer => self.integer().map(Self::Integer),
            Type::String => Ok(Self::String(self.string())),
        }
    }
}

impl Type {
    /// What stands for a value of this type that is not known.
    pub(super) fn zero<'a>(self) -> Value<'a> {
        match self {
            Self::Boolean => Value::Boolean(false),
            Self::Integer => Value::Integer(0),
            Self::String => Value::String(Cow::Borrowed("")),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "true or false",
            Self::Integer => "a number",
            Self::String => "text",
        })
    }
}
