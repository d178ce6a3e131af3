//! Attribute names: what they may be, and the ones that everybody knows.

use std::borrow::Cow;

use http::HeaderName;

/// An attribute's name; a known one costs no allocation.
pub(crate) type Name = Cow<'static, str>;

/// What CloudEvents asks of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An attribute of no particular type: an extension.
    Any,
    /// Text that is not empty.
    Text,
    /// `1.0`.
    Version,
    /// A media type.
    MediaType,
    /// A URI-reference that is not empty.
    UriReference,
    /// An absolute URI.
    Uri,
    /// A time.
    Timestamp,
}

/// The rule for the attribute `name`.
pub(crate) fn rule(name: &str) -> Rule {
    known(name).map_or(Rule::Any, |known| known.rule)
}

/// `name` interned if it is known, and its rule.
pub(crate) fn intern(name: &str) -> (Name, Rule) {
    match known(name) {
        Some(known) => (Cow::Borrowed(known.name), known.rule),
        None => (Cow::Owned(name.to_owned()), Rule::Any),
    }
}

/// The header that carries the attribute `name` in HTTP, where it is known.
pub(crate) fn header(name: &str) -> Option<HeaderName> {
    known(name).map(|known| known.header.clone())
}

/// Whether CloudEvents allows an attribute of this name: `[a-z0-9]+`, and not `data`.
pub(crate) fn is_valid(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !name.is_empty() && name != "data" && name.bytes().all(allowed)
}

struct Known {
    name: &'static str,
    header: HeaderName,
    rule: Rule,
}

macro_rules! known {
    ($($name:literal $rule:ident,)*) => {
        fn known(name: &str) -> Option<&'static Known> {
            match name {
                $($name => {
                    static KNOWN: Known = Known {
                        name: $name,
                        header: HeaderName::from_static(concat!("ce-", $name)),
                        rule: Rule::$rule,
                    };
                    Some(&KNOWN)
                })*
                _ => None,
            }
        }
    };
}

known! {
    "specversion" Version,
    "id" Text,
    "source" UriReference,
    "type" Text,
    "subject" Text,
    "time" Timestamp,
    "datacontenttype" MediaType,
    "dataschema" Uri,
    "partitionkey" Any,
    "traceparent" Any,
    "tracestate" Any,
    "causationid" Any,
    "correlationid" Any,
    "hopcount" Any,
    "sequence" Any,
    "sequencetype" Any,
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
    fn a_known_name_is_not_allocated_and_has_its_header_and_rule() {
        assert!(matches!(
            intern("source"),
            (Cow::Borrowed("source"), Rule::UriReference)
        ));
        assert!(matches!(intern("mine"), (Cow::Owned(_), Rule::Any)));
        assert_eq!(header("source").unwrap(), "ce-source");
        assert_eq!(header("mine"), None);
    }
}
