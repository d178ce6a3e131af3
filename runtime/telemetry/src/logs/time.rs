//! Times as RFC 3339 in UTC, to the millisecond.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-01-31T23:59:59`
const TO_THE_SECOND: usize = 19;

thread_local! {
    /// The last second this thread wrote, and its text: a busy thread writes thousands of lines in one.
    static LAST: Cell<(u64, [u8; TO_THE_SECOND])> = const { Cell::new((u64::MAX, [0; TO_THE_SECOND])) };
}

/// Appends `time`; one before 1970 is taken for 1970.
pub(super) fn write(out: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (last, text) = LAST.get();
    let text = match last == since.as_secs() {
        true => text,
        false => to_the_second(since.as_secs()),
    };
    LAST.set((since.as_secs(), text));
    out.extend_from_slice(&text);
    let milliseconds = since.subsec_millis();
    out.push(b'.');
    out.extend([100, 10, 1].map(|unit| b'0' + (milliseconds / unit % 10) as u8));
    out.push(b'Z');
}

fn to_the_second(seconds: u64) -> [u8; TO_THE_SECOND] {
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    let mut text = *b"0000-00-00T00:00:00";
    for (place, value, digits) in [
        (0, year, 4),
        (5, month, 2),
        (8, day, 2),
        (11, second / 3600, 2),
        (14, second / 60 % 60, 2),
        (17, second % 60, 2),
    ] {
        let mut rest = value;
        for digit in text[place..place + digits].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    text
}

/// The Gregorian date of a day, counted from 1970-01-01.
///
/// Counts in years that begin in March, so that a leap day is a year's last (Howard Hinnant, `civil_from_days`).
fn date(day: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let day = day + DAYS_TO_1970;
    let (era, day) = (day / DAYS_OF_400_YEARS, day % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    match month {
        0..10 => (400 * era + year, month + 3, day),
        _ => (400 * era + year + 1, month - 9, day),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(milliseconds: u64) -> String {
        let mut out = Vec::new();
        write(&mut out, UNIX_EPOCH + Duration::from_millis(milliseconds));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_as_people_count_them() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_827_696_007), "2000-02-29T12:34:56.007Z");
        assert_eq!(text(951_868_799_999), "2000-02-29T23:59:59.999Z");
        assert_eq!(text(951_868_800_000), "2000-03-01T00:00:00.000Z");
        assert_eq!(text(1_767_225_599_500), "2025-12-31T23:59:59.500Z");
        assert_eq!(text(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn a_second_written_twice_is_the_same_second() {
        assert_eq!(text(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(text(1_600), "1970-01-01T00:00:01.600Z");
        assert_eq!(text(2_600), "1970-01-01T00:00:02.600Z");
    }
}
