//! The value of an attribute: one of the seven types, with its exact text.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::error::Problem;
use crate::name::Rule;
use crate::{media::MediaType, timestamp, uri};

/// The value of an attribute.
///
/// A wire format tells fewer types than there are: a header is always a [`String`](Self::String), JSON tells
/// booleans and integers from strings. Only `source`, `dataschema` and `time` have their type by their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number of 32 bits.
    Integer(i32),
    /// Text without control characters and Unicode noncharacters.
    String(String),
    /// Bytes; their text is base64.
    Binary(Bytes),
    /// An absolute URI (RFC 3986).
    Uri(String),
    /// A URI-reference (RFC 3986).
    UriReference(String),
    /// A time (RFC 3339), in the very text that it came in.
    Timestamp(String),
}

impl AttributeValue {
    /// The canonical string form: what a header carries.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Binary(bytes) => Cow::Owned(STANDARD.encode(bytes)),
            Self::String(text)
            | Self::Uri(text)
            | Self::UriReference(text)
            | Self::Timestamp(text) => Cow::Borrowed(text),
        }
    }

    /// The text of a value that is made of text; `None` for a boolean, an integer or bytes.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Boolean(_) | Self::Integer(_) | Self::Binary(_) => None,
            Self::String(text)
            | Self::Uri(text)
            | Self::UriReference(text)
            | Self::Timestamp(text) => Some(text),
        }
    }

    /// This value with the type that CloudEvents gives an attribute with this rule, where both are text.
    pub(crate) fn typed(self, rule: Rule) -> Self {
        match self {
            Self::String(text)
            | Self::Uri(text)
            | Self::UriReference(text)
            | Self::Timestamp(text)
                if rule != Rule::Any =>
            {
                match rule {
                    Rule::Any | Rule::Text | Rule::Version | Rule::MediaType => Self::String(text),
                    Rule::UriReference => Self::UriReference(text),
                    Rule::Uri => Self::Uri(text),
                    Rule::Timestamp => Self::Timestamp(text),
                }
            }
            other => other,
        }
    }

    /// Refuses a value that an attribute with this rule must not have.
    pub(crate) fn validate(&self, rule: Rule) -> Result<(), Problem> {
        let text = match (rule, self) {
            (
                _,
                Self::String(text)
                | Self::Uri(text)
                | Self::UriReference(text)
                | Self::Timestamp(text),
            ) => text,
            (Rule::Any, Self::Boolean(_) | Self::Integer(_) | Self::Binary(_)) => return Ok(()),
            (_, Self::Boolean(_) | Self::Integer(_) | Self::Binary(_)) => {
                return Err(Problem::NotText);
            }
        };
        if text.is_empty() && rule != Rule::Any {
            return Err(Problem::Empty);
        }
        let (holds, problem) = match (rule, self) {
            (Rule::Version, _) => (text == "1.0", Problem::Version),
            (Rule::MediaType, _) => (MediaType::parse(text).is_some(), Problem::MediaType),
            (Rule::UriReference, _) | (Rule::Any, Self::UriReference(_)) => {
                (uri::is_reference(text), Problem::UriReference)
            }
            (Rule::Uri, _) | (Rule::Any, Self::Uri(_)) => (uri::is_uri(text), Problem::Uri),
            (Rule::Timestamp, _) | (Rule::Any, Self::Timestamp(_)) => {
                (timestamp::is_valid(text), Problem::Timestamp)
            }
            (Rule::Text | Rule::Any, _) => return check_text(text),
        };
        if holds { Ok(()) } else { Err(problem) }
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Refuses what the type String of CloudEvents leaves out: control characters and noncharacters.
fn check_text(text: &str) -> Result<(), Problem> {
    // Without an early exit this is a few vector instructions.
    if text
        .bytes()
        .fold(true, |plain, b| plain & matches!(b, 0x20..=0x7e))
    {
        return Ok(());
    }
    let forbidden = |c: char| {
        let code = u32::from(c);
        c.is_control() || matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
    };
    match text.char_indices().find(|(_, c)| forbidden(*c)) {
        Some((at, _)) => Err(Problem::Character(at)),
        None => Ok(()),
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for AttributeValue {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Cow<'_, str>> for AttributeValue {
    fn from(value: Cow<'_, str>) -> Self {
        Self::String(value.into_owned())
    }
}

impl From<Bytes> for AttributeValue {
    fn from(value: Bytes) -> Self {
        Self::Binary(value)
    }
}

impl From<Vec<u8>> for AttributeValue {
    fn from(value: Vec<u8>) -> Self {
        Self::Binary(value.into())
    }
}

impl From<SystemTime> for AttributeValue {
    fn from(value: SystemTime) -> Self {
        Self::Timestamp(timestamp::format(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_canonical_text() {
        for (value, text) in [
            (AttributeValue::from(true), "true"),
            (AttributeValue::from(false), "false"),
            (AttributeValue::from(i32::MIN), "-2147483648"),
            (AttributeValue::from("text"), "text"),
            (AttributeValue::from(b"Ma".to_vec()), "TWE="),
            (AttributeValue::Uri("urn:x".into()), "urn:x"),
            (AttributeValue::UriReference("//a/b".into()), "//a/b"),
            (
                AttributeValue::from(SystemTime::UNIX_EPOCH),
                "1970-01-01T00:00:00Z",
            ),
        ] {
            assert_eq!(value.text(), text);
        }
    }

    #[test]
    fn control_characters_and_noncharacters_are_refused_with_their_place() {
        for bad in [
            "ab\u{0}",
            "ab\n",
            "ab\u{7f}",
            "ab\u{9f}",
            "ab\u{fdd0}",
            "ab\u{fffe}",
            "ab\u{1ffff}",
        ] {
            assert_eq!(
                AttributeValue::from(bad).validate(Rule::Any),
                Err(Problem::Character(2)),
                "{bad:?}"
            );
        }
        for good in ["", "a b", "\u{a0}", "€😀", "\u{fffd}", "\u{fdf0}"] {
            assert!(
                AttributeValue::from(good).validate(Rule::Any).is_ok(),
                "{good:?}"
            );
        }
    }

    #[test]
    fn core_attributes_get_the_type_of_their_name() {
        assert_eq!(
            AttributeValue::from("/a").typed(Rule::UriReference),
            AttributeValue::UriReference("/a".into())
        );
        assert_eq!(
            AttributeValue::from("urn:a").typed(Rule::Uri),
            AttributeValue::Uri("urn:a".into())
        );
        assert_eq!(
            AttributeValue::from(7).validate(Rule::Text),
            Err(Problem::NotText)
        );
        assert_eq!(
            AttributeValue::from("/a").validate(Rule::Uri),
            Err(Problem::Uri)
        );
        assert_eq!(
            AttributeValue::from("xyz").validate(Rule::MediaType),
            Err(Problem::MediaType)
        );
        assert_eq!(
            AttributeValue::from("0.3").validate(Rule::Version),
            Err(Problem::Version)
        );
        for name in [
            "id",
            "type",
            "source",
            "subject",
            "datacontenttype",
            "dataschema",
            "time",
            "specversion",
        ] {
            assert_eq!(
                AttributeValue::from("").validate(crate::name::rule(name)),
                Err(Problem::Empty),
                "{name}"
            );
        }
    }
}
