//! Attribute names: what they may be, and the ones that everybody knows.

use std::borrow::Cow;

/// An attribute's name; one of those below costs no allocation.
pub(crate) type Name = Cow<'static, str>;

/// Interns `name`, whatever it is.
pub(crate) fn intern(name: &str) -> Name {
    match known(name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    }
}

/// Whether CloudEvents allows an attribute of this name: `[a-z0-9]+`, and not `data`.
pub(crate) fn is_valid(name: &str) -> bool {
    !name.is_empty()
        && name != "data"
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

macro_rules! known {
    ($($name:literal)*) => {
        fn known(name: &str) -> Option<&'static str> {
            match name {
                $($name => Some($name),)*
                _ => None,
            }
        }

        /// The header that carries a known attribute in HTTP.
        pub(crate) fn header(name: &str) -> Option<http::HeaderName> {
            match name {
                $($name => {
                    const HEADER: http::HeaderName = http::HeaderName::from_static(concat!("ce-", $name));
                    Some(HEADER)
                })*
                _ => None,
            }
        }
    };
}

known! {
    "specversion" "id" "source" "type" "subject" "time" "datacontenttype" "dataschema"
    "partitionkey" "traceparent" "tracestate" "causationid" "correlationid" "hopcount" "sequence" "sequencetype"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_and_digits_but_not_data() {
        for name in ["id", "a", "0", "abc123", "averylongnamethatisstillallowed"] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", "data", "Id", "my-id", "my_id", "my.id", "ä", "a b"] {
            assert!(!is_valid(name), "{name}");
        }
    }

    #[test]
    fn a_known_name_is_not_allocated_and_has_its_header() {
        assert!(matches!(intern("source"), Cow::Borrowed(_)));
        assert!(matches!(intern("mine"), Cow::Owned(_)));
        assert_eq!(header("source").unwrap(), "ce-source");
        assert_eq!(header("mine"), None);
    }
}
