//! Lengths of time as OpenFaaS writes them: Go's `1m30s`, or a whole number of seconds.

use std::fmt::Write;
use std::time::Duration;

/// Reads `500ms`, `1m30s`, `1.5h` or a plain number of seconds; `None` for anything else, and for what is negative.
///
/// Units: `ns`, `us` (or `µs`), `ms`, `s`, `m`, `h`. The sum must fit into a [`Duration`] of nanoseconds in 64 bits.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|&end| end > 0)?;
        let (digits, tail) = rest.split_at(number);
        let unit = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        total = total.checked_add(nanoseconds(digits, unit)?)?;
        rest = tail;
    }
    Some(Duration::from_nanos(total))
}

/// Writes a duration so that Go and [`parse`] read it back: whole units where it can, `1m30s`, `1500ms`, `0s`.
pub fn format(duration: Duration) -> String {
    let mut text = String::new();
    let seconds = duration.as_secs();
    for (unit, size, below) in [("h", 3600, u64::MAX), ("m", 60, 60), ("s", 1, 60)] {
        let count = seconds / size % below;
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    match duration.subsec_nanos() {
        0 if text.is_empty() => text.push_str("0s"),
        0 => {}
        nanos if nanos % 1_000_000 == 0 => drop(write!(text, "{}ms", nanos / 1_000_000)),
        nanos if nanos % 1_000 == 0 => drop(write!(text, "{}us", nanos / 1_000)),
        nanos => drop(write!(text, "{nanos}ns")),
    }
    text
}

fn nanoseconds(digits: &str, unit: &str) -> Option<u64> {
    let size: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanos = whole.checked_mul(size)?;
    let mut part = size;
    for digit in fraction.bytes() {
        part /= 10;
        nanos = nanos.checked_add(u64::from(digit - b'0') * part)?;
    }
    Some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn go_durations_and_whole_seconds_are_read() {
        for (text, milliseconds) in [
            ("30", 30_000),
            ("0", 0),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("1.s", 1_000),
            ("+2s", 2_000),
            ("1h2m3s4ms", 3_723_004),
            ("1000us", 1),
        ] {
            assert_eq!(
                parse(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "s",
            "1",
            "-1s",
            "-1",
            "1x",
            "1.2.3s",
            "1 s",
            "1s ",
            "1.5",
            ".s",
            "ms5",
            "99999999999h",
            "+",
        ] {
            let expected = (text == "1").then_some(Duration::from_secs(1));
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_in_whole_units() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_secs(90), "1m30s"),
            (Duration::from_secs(3600), "1h"),
            (Duration::from_millis(1500), "1s500ms"),
            (Duration::from_micros(20), "20us"),
            (Duration::from_nanos(7), "7ns"),
        ] {
            assert_eq!(format(duration), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos: u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Some(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
