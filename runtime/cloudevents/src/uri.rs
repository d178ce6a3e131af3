//! URIs and URI-references: the grammar of RFC 3986, without resolving anything.

use crate::class::Class;

/// Whether `text` is an absolute URI: a scheme, then whatever a reference may hold.
pub(crate) fn is_uri(text: &str) -> bool {
    scheme(text).is_some() && is_reference(text)
}

/// Whether `text` is a URI-reference: allowed characters alone, whole percent triplets, one fragment, brackets only
/// around a host, no colon in the first segment of a relative path.
pub(crate) fn is_reference(text: &str) -> bool {
    // The usual source of a function is told in one pass.
    if text.starts_with('/') && !text.starts_with("//") && consists_of(text, &PATH) {
        return true;
    }
    let rest = scheme(text).map_or(text, |scheme| &text[scheme.len() + 1..]);
    let relative = rest.len() == text.len();
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = match hierarchy.strip_prefix("//") {
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", hierarchy),
    };
    let colon_first = relative
        && path
            .split('/')
            .next()
            .is_some_and(|segment| segment.contains(':'));
    !colon_first
        && is_authority(authority)
        && consists_of(path, &PATH)
        && consists_of(query, &QUERY)
        && consists_of(fragment, &QUERY)
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then_some(scheme)
}

fn is_authority(authority: &str) -> bool {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match host
        .strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
    {
        Some((inner, after)) if consists_of(inner, &USER) => (
            "",
            after.strip_prefix(':').or(after.is_empty().then_some("")),
        ),
        _ => host
            .rsplit_once(':')
            .map_or((host, Some("")), |(host, port)| (host, Some(port))),
    };
    consists_of(user, &USER)
        && consists_of(host, &HOST)
        && port.is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether `text` is made of `class` and percent triplets.
fn consists_of(text: &str, class: &Class) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        at += match b {
            _ if class.contains(b) => 1,
            b'%' if is_hex_pair(bytes.get(at + 1..at + 3)) => 3,
            _ => return false,
        };
    }
    true
}

fn is_hex_pair(digits: Option<&[u8]>) -> bool {
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

// Unreserved characters and sub-delimiters, and what else each part may hold.
const HOST: Class = Class::LETTERS_AND_DIGITS.and(b"-._~!$&'()*+,;=");
const USER: Class = HOST.and(b":");
const PATH: Class = USER.and(b"@/");
const QUERY: Class = PATH.and(b"?");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_every_shape_are_accepted() {
        for text in [
            "/mycontext",
            "#fragment",
            "//authority/path",
            "https://a.example/b?c=d#e",
            "urn:uuid:6e8bc430-9c3a-11d9",
            "mailto:someone@example.org",
            "1-555-123-4567",
            "relative/path:x",
            "a%20b",
            "http://[::1]:8080/",
            "http://user:pw@host:1/",
            "",
            "?q",
            "tag:x,2026:y",
            "//h",
            "http://h:/",
        ] {
            assert!(is_reference(text), "{text}");
        }
    }

    #[test]
    fn what_the_grammar_forbids_is_refused() {
        for text in [
            "a b",
            "/café",
            "/a%2",
            "/a%zz",
            "<x>",
            "a\\b",
            "{x}",
            "a#b#c",
            "/a[1]",
            "http://[::1/",
            "http://h:p/",
            "1:2",
            ":x",
            "a\"b",
            "http://[::1]x/",
        ] {
            assert!(!is_reference(text), "{text}");
        }
    }

    #[test]
    fn a_uri_has_a_scheme() {
        assert!(is_uri("https://a.example") && is_uri("urn:x"));
        assert!(!is_uri("/relative") && !is_uri("") && !is_uri("//h/p"));
    }
}
