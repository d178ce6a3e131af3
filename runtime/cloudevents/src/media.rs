//! Media types, as far as events need them.

use crate::class::Class;

/// A media type split into what decides how an event is read; case and parameters are dealt with.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// `type/subtype`, as it was written.
    pub essence: &'a str,
    parameters: &'a str,
}

impl<'a> MediaType<'a> {
    /// Splits `text`, or gives `None` where it is no `type/subtype` with parameters (RFC 2045, section 5.1).
    pub fn parse(text: &'a str) -> Option<Self> {
        if !text.bytes().all(|b| matches!(b, b'\t' | 0x20..=0x7e)) {
            return None;
        }
        let (essence, parameters) = match text.split_once(';') {
            Some((essence, rest)) => (essence.trim_end_matches([' ', '\t']), rest),
            None => (text.trim_end_matches([' ', '\t']), ""),
        };
        let (kind, subtype) = essence.split_once('/')?;
        let media = Self {
            essence,
            parameters,
        };
        (is_token(kind) && is_token(subtype) && media.parameters().all(|p| p.is_some()))
            .then_some(media)
    }

    /// Whether it declares JSON: the subtype is `json`, or ends with `+json`.
    pub fn is_json(&self) -> bool {
        let subtype = self
            .essence
            .split_once('/')
            .map_or("", |(_, subtype)| subtype);
        subtype.eq_ignore_ascii_case("json") || ends_with(subtype, "+json")
    }

    /// Whether its body is text by its name: `text/*`, XML, JSON, JavaScript or a form.
    pub fn is_text(&self) -> bool {
        let essence = self.essence;
        self.is_json()
            || starts_with(essence, "text/")
            || ends_with(essence, "+xml")
            || [
                "application/xml",
                "application/javascript",
                "application/x-www-form-urlencoded",
                "application/yaml",
            ]
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
    }

    /// Whether its charset is UTF-8: said so, or not said at all.
    pub fn is_utf8(&self) -> bool {
        self.parameter("charset").is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"]
                .iter()
                .any(|known| charset.eq_ignore_ascii_case(known))
        })
    }

    /// The value of a parameter, without its quotes.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters()
            .flatten()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every parameter in turn, `None` for one that is not `name=value`.
    fn parameters(&self) -> impl Iterator<Item = Option<(&'a str, &'a str)>> + use<'a> {
        let mut rest = self.parameters;
        std::iter::from_fn(move || {
            rest = rest.trim_start_matches([' ', '\t', ';']);
            if rest.is_empty() {
                return None;
            }
            let parameter = parameter(&mut rest);
            if parameter.is_none() {
                rest = "";
            }
            Some(parameter)
        })
    }
}

/// Takes one `name=value` off the front of `rest`.
fn parameter<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    let (name, after) = rest.split_once('=')?;
    let name = name.trim_end_matches([' ', '\t']);
    let after = after.trim_start_matches([' ', '\t']);
    let (value, after) = match after.strip_prefix('"') {
        Some(quoted) => {
            let end = closing_quote(quoted)?;
            (&quoted[..end], &quoted[end + 1..])
        }
        None => {
            let end = after.find([';', ' ', '\t']).unwrap_or(after.len());
            if !is_token(&after[..end]) {
                return None;
            }
            after.split_at(end)
        }
    };
    let after = after.trim_start_matches([' ', '\t']);
    *rest = after;
    (is_token(name) && (after.is_empty() || after.starts_with(';'))).then_some((name, value))
}

/// Where the quoted string that `text` is inside of ends, backslash escapes respected.
pub(crate) fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| TOKEN.contains(b))
}

const TOKEN: Class = Class::LETTERS_AND_DIGITS.and(b"!#$%&'*+-.^_`|~");

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn ends_with(text: &str, suffix: &str) -> bool {
    text.len()
        .checked_sub(suffix.len())
        .and_then(|at| text.get(at..))
        .is_some_and(|e| e.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_subtype_or_suffix_whatever_case_and_parameters() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "text/json",
            "application/vnd.x+json; charset=utf-8",
            "application/problem+JSON;q=\"a;b\"",
        ] {
            assert!(MediaType::parse(json).unwrap().is_json(), "{json}");
        }
        for other in [
            "application/jsonp",
            "text/plain; x=json",
            "application/json-seq",
            "application/x.json",
        ] {
            assert!(!MediaType::parse(other).unwrap().is_json(), "{other}");
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for bad in [
            "",
            "json",
            "/json",
            "text/",
            "a/b/c",
            "text/pl ain",
            "text/plain; charset",
            "a/b; x=\"y",
            "a/b; x=\"y\"z",
            "ä/b",
        ] {
            assert!(MediaType::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_found_without_regard_to_case_and_quotes() {
        let media = MediaType::parse("TEXT/Plain ; CharSet = \"UTF-8\" ; x=1;").unwrap();
        assert_eq!(media.essence, "TEXT/Plain");
        assert_eq!(media.parameter("charset"), Some("UTF-8"));
        assert_eq!(media.parameter("X"), Some("1"));
        assert!(media.is_utf8() && media.is_text());
        assert!(
            !MediaType::parse("text/plain; charset=iso-8859-1")
                .unwrap()
                .is_utf8()
        );
    }
}
