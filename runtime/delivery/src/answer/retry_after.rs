//! Retry-After, in both forms.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// How long a Retry-After asks to wait from `now` on: whole seconds, or an HTTP date. A date that has passed is zero; what
/// is neither form is `None`.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Duration> {
        let now = httpdate::parse_http_date("Sat, 21 Nov 2026 11:33:20 GMT").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        retry_after(&headers, now)
    }

    #[test]
    fn both_forms_are_read() {
        for (text, seconds) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("Sat, 21 Nov 2026 11:33:50 GMT", 30),
            ("Saturday, 21-Nov-26 11:33:50 GMT", 30),
            ("Sat Nov 21 11:33:50 2026", 30),
            ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ] {
            assert_eq!(asked(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_number_beyond_all_bounds_is_still_a_long_wait() {
        assert_eq!(
            asked("99999999999999999999999"),
            Some(Duration::from_secs(u64::MAX))
        );
    }

    #[test]
    fn anything_else_asks_for_nothing() {
        for text in ["", "-1", "1.5", "soon", "1m", "2026-11-21T11:33:20Z"] {
            assert_eq!(asked(text), None, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH), None);
    }
}
