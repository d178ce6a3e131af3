//! Times as RFC 3339 writes them.
//!
//! An event keeps the text of a time as it came; nothing here is needed to pass one on.

use std::time::{Duration, SystemTime};

/// Whether `text` is an RFC 3339 time: a date that exists, `T`, a time (a leap second included), and an offset.
pub fn is_valid(text: &str) -> bool {
    Fields::parse(text).is_some()
}

/// The moment that `text` names, or `None` where it is no RFC 3339 time.
///
/// Digits beyond the nanosecond are cut off; a leap second is the second after it.
pub fn parse(text: &str) -> Option<SystemTime> {
    let fields = Fields::parse(text)?;
    let seconds = days_from_civil(fields.year, fields.month, fields.day) * 86_400
        + i64::from(fields.hour * 3600 + fields.minute * 60 + fields.second)
        - fields.offset;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)?
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)?
    };
    moment.checked_add(Duration::from_nanos(fields.nanos.into()))
}

/// Writes `moment` in UTC, with as many digits of a second as it has (0, 3, 6 or 9), such as `2026-01-31T12:00:00.250Z`.
///
/// A moment outside the years 0 to 9999 is written as the nearest one inside.
pub fn format(moment: SystemTime) -> String {
    let (seconds, nanos) = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (
            i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            after.subsec_nanos(),
        ),
        Err(before) => match before.duration() {
            d if d.subsec_nanos() == 0 => (-i64::try_from(d.as_secs()).unwrap_or(i64::MAX), 0),
            d => (
                -i64::try_from(d.as_secs())
                    .unwrap_or(i64::MAX)
                    .saturating_add(1),
                1_000_000_000 - d.subsec_nanos(),
            ),
        },
    };
    let seconds = seconds.clamp(YEAR_0, YEAR_9999);
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = match nanos {
        0 => String::new(),
        n if n % 1_000_000 == 0 => format!(".{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => format!(".{:06}", n / 1_000),
        n => format!(".{n:09}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since 1970.
const YEAR_0: i64 = -62_167_219_200;
const YEAR_9999: i64 = 253_402_300_799;

struct Fields {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    /// Seconds east of UTC.
    offset: i64,
}

impl Fields {
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let year = number(&mut rest, 4)?;
        literal(&mut rest, b"-")?;
        let month = number(&mut rest, 2)?;
        literal(&mut rest, b"-")?;
        let day = number(&mut rest, 2)?;
        literal(&mut rest, b"Tt")?;
        let hour = number(&mut rest, 2)?;
        literal(&mut rest, b":")?;
        let minute = number(&mut rest, 2)?;
        literal(&mut rest, b":")?;
        let second = number(&mut rest, 2)?;
        let nanos = fraction(&mut rest)?;
        let offset = offset(&mut rest)?;
        let fields = Self {
            year: year.into(),
            month,
            day,
            hour,
            minute,
            second,
            nanos,
            offset,
        };
        (rest.is_empty() && fields.exists()).then_some(fields)
    }

    fn exists(&self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u32::from(leap),
            _ => 0,
        };
        (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second <= 60
    }
}

fn number(rest: &mut &[u8], digits: usize) -> Option<u32> {
    let (front, back) = rest.split_at_checked(digits)?;
    *rest = back;
    front.iter().try_fold(0, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0'))
    })
}

fn literal(rest: &mut &[u8], one_of: &[u8]) -> Option<u8> {
    let (&first, back) = rest.split_first()?;
    *rest = back;
    one_of.contains(&first).then_some(first)
}

/// The nanoseconds of an optional `.digits`.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    let Some(digits) = rest.strip_prefix(b".") else {
        return Some(0);
    };
    let length = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let nanos = (0..9).fold(0, |sum, at| {
        sum * 10 + digits[..length].get(at).map_or(0, |b| u32::from(b - b'0'))
    });
    *rest = &digits[length..];
    (length > 0).then_some(nanos)
}

/// The seconds of `Z`, `+hh:mm` or `-hh:mm`.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    let sign = match literal(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = number(rest, 2)?;
    literal(rest, b":")?;
    let minutes = number(rest, 2)?;
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

/// Days since 1970-01-01 of a date in the Gregorian calendar (Howard Hinnant, `days_from_civil`).
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (
        year + era * 400 + i64::from(month <= 2),
        month,
        of_year - (153 * shifted + 2) / 5 + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_rfc_3339_is_a_time() {
        for text in [
            "2018-04-05T17:31:00Z",
            "2018-04-05T17:31:00.000000000Z",
            "2018-04-05t17:31:00z",
            "2018-04-05T18:31:00+01:00",
            "2018-04-05T16:31:00-23:59",
            "2016-12-31T23:59:60Z",
            "2024-02-29T00:00:00.1234567890123Z",
            "0000-01-01T00:00:00Z",
            "2000-02-29T00:00:00Z",
        ] {
            assert!(is_valid(text), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_time_is_refused() {
        for text in [
            "lunchtime",
            "2018-04-05T18:31Z",
            "2018-04-05T18:31:00X",
            "2018-04-05T18:31:00+25:00",
            "",
            "2018-04-05T18:31:00+xx:00",
            "2018-04-05T18:31:00+05",
            "2018-04-05 18:31:00Z",
            "2018-04-05T18:31:00",
            "2018-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2018-13-01T00:00:00Z",
            "2018-04-31T00:00:00Z",
            "2018-04-05T24:00:00Z",
            "2018-04-05T00:60:00Z",
            "2018-04-05T00:00:61Z",
            "2018-04-05T00:00:00.Z",
            "2018-04-05T00:00:00ZZ",
            "18-04-05T00:00:00Z",
            "2018-00-01T00:00:00Z",
            "2018-01-00T00:00:00Z",
            "+018-01-01T00:00:00Z",
            "2018-04-05T00:00:00+0100",
        ] {
            assert!(!is_valid(text), "{text}");
        }
    }

    #[test]
    fn a_moment_survives_being_written_and_read() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (1_522_949_460, 250_000_000, "2018-04-05T17:31:00.250Z"),
            (1_522_949_460, 1, "2018-04-05T17:31:00.000000001Z"),
            (1_522_949_460, 1_000, "2018-04-05T17:31:00.000001Z"),
        ] {
            let moment = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
            assert_eq!(format(moment), text);
            assert_eq!(parse(text), Some(moment));
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(format(before), "1969-12-31T23:59:59.999Z");
        assert_eq!(parse("1969-12-31T23:59:59.999Z"), Some(before));
    }

    #[test]
    fn an_offset_names_the_same_moment() {
        let utc = parse("2018-04-05T17:31:00Z");
        assert!(utc.is_some());
        assert_eq!(parse("2018-04-05T18:31:00+01:00"), utc);
        assert_eq!(parse("2018-04-05T16:31:00-01:00"), utc);
        assert_eq!(
            parse("0000-01-01T00:00:00+00:01").map(format).as_deref(),
            Some("0000-01-01T00:00:00Z")
        );
    }
}
