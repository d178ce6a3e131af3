//! The coding of attribute values in HTTP and NATS headers (HTTP binding, section 3.1.3.2).

use std::borrow::Cow;
use std::fmt::Write;

use crate::error::Problem;

/// Writes `text` with printable ASCII alone: space, `"`, `%` and everything outside U+0021 to U+007E becomes `%XY`.
pub(crate) fn encode(text: &str) -> Cow<'_, str> {
    let Some(first) = text.bytes().position(|b| !is_plain(b)) else {
        return Cow::Borrowed(text);
    };
    let mut encoded = String::with_capacity(text.len() + 16);
    encoded.push_str(&text[..first]);
    for b in text.as_bytes()[first..].iter().copied() {
        if is_plain(b) {
            encoded.push(b.into());
        } else {
            write!(encoded, "%{b:02X}").expect("a String takes all that is written to it");
        }
    }
    Cow::Owned(encoded)
}

/// Reads a header's bytes: a quoted string is undone, then one round of percent-decoding.
///
/// A `%` without two hex digits after it stands for itself, and raw UTF-8 is taken as it is, because other senders
/// encode nothing at all. The same goes for quotes that are not one whole quoted string.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::Utf8)?;
    // Without an early exit this is a few vector instructions.
    let percent = bytes.iter().fold(false, |found, &b| found | (b == b'%'));
    let unquoted = unquote(text);
    if !percent {
        return Ok(unquoted);
    }
    let mut decoded = Vec::with_capacity(unquoted.len());
    let mut rest = unquoted.as_bytes();
    while let Some((&b, after)) = rest.split_first() {
        let triplet = (b == b'%').then(|| hex_pair(after)).flatten();
        decoded.push(triplet.unwrap_or(b));
        rest = if triplet.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Problem::Utf8)
}

/// Whether `bytes` may stand in a header as they are: nothing that has to be encoded, and whole triplets only.
///
/// So a sender's lower-case or needless encoding can be passed on as it came.
pub(crate) fn is_encoded(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((&b, after)) = rest.split_first() {
        let allowed = is_plain(b) || (b == b'%' && hex_pair(after).is_some());
        if !allowed {
            return false;
        }
        rest = after;
    }
    true
}

fn is_plain(b: u8) -> bool {
    matches!(b, 0x21..=0x7e) && b != b'"' && b != b'%'
}

fn hex_pair(after: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let pair = digit(*after.first()?)? * 16 + digit(*after.get(1)?)?;
    u8::try_from(pair).ok()
}

/// Undoes a quoted string of RFC 7230, section 3.2.6, where the whole of `text` is one.
fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"') else {
        return Cow::Borrowed(text);
    };
    match crate::media::closing_quote(inner) {
        Some(end) if end + 1 == inner.len() => {}
        _ => return Cow::Borrowed(text),
    }
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner[..inner.len() - 1].chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_specification_goes_both_ways() {
        let (text, header) = ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(encode(text), header);
        assert_eq!(decode(header.as_bytes()).unwrap(), text);
    }

    #[test]
    fn lower_case_and_needless_encoding_are_read() {
        assert_eq!(decode(b"%e2%82%ac").unwrap(), "€");
        assert_eq!(decode(b"%41bc%2f").unwrap(), "Abc/");
    }

    #[test]
    fn only_one_round_is_decoded() {
        assert_eq!(decode(b"%2541").unwrap(), "%41");
        assert_eq!(encode("%41"), "%2541");
    }

    #[test]
    fn a_percent_without_two_hex_digits_stands_for_itself() {
        for raw in ["100%", "%", "%%", "%4", "5%zz", "%g1"] {
            assert_eq!(decode(raw.as_bytes()).unwrap(), raw);
        }
        assert_eq!(decode(b"%%41").unwrap(), "%A");
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        for bad in [&b"%C0%A0"[..], b"%ff", b"%E2%82", b"\xc0\xa0", b"a\xff"] {
            assert_eq!(decode(bad), Err(Problem::Utf8), "{bad:?}");
        }
    }

    #[test]
    fn raw_utf8_and_raw_spaces_are_taken_as_they_are() {
        assert_eq!(decode("Euro € x".as_bytes()).unwrap(), "Euro € x");
        assert_eq!(decode(b"two words").unwrap(), "two words");
    }

    #[test]
    fn a_quoted_string_is_undone_before_percent_decoding() {
        assert_eq!(decode(br#""two words""#).unwrap(), "two words");
        assert_eq!(
            decode(br#""say \"hi\" \\ %20""#).unwrap(),
            r#"say "hi" \  "#
        );
        assert_eq!(decode(br#""""#).unwrap(), "");
        for literal in [r#"""#, r#""open"#, r#"a"b""#, r#""a" b"#, r#""a\""#] {
            assert_eq!(decode(literal.as_bytes()).unwrap(), literal);
        }
    }

    #[test]
    fn encoded_text_is_known_from_text_that_must_be_encoded() {
        assert!(is_encoded(b"%e2%82%ac%41") && is_encoded(b""));
        for raw in [&b"a b"[..], b"100%", b"\"a\"", b"\xe2\x82\xac"] {
            assert!(!is_encoded(raw));
        }
    }
}
