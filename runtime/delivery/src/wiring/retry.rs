//! When a retry is asked for, and how long it waits.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::topic::split;

/// OpenFaaS's own `com.openfaas.retry.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many answers that ask for a retry make a dead letter. At least 1.
    pub attempts: u32,
    /// The longest first wait.
    pub min_wait: Duration,
    /// What no drawn wait passes. Not below `min_wait`.
    pub max_wait: Duration,
    /// The statuses that ask for a retry.
    pub codes: Codes,
}

/// A set of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(Vec<RangeInclusive<u16>>);

impl RetryPolicy {
    /// What a wait that somebody asked for may reach whatever `max_wait` says.
    pub const LONGEST_ASKED: Duration = Duration::from_secs(600);

    /// The upper end of the wait before retry number `retry`, counted from 0: `min_wait`·2ⁿ, at most `max_wait`. The wait
    /// itself is drawn uniformly from zero to this (full jitter).
    pub fn longest_wait(&self, retry: u32) -> Duration {
        let factor = 1_u32.checked_shl(retry).unwrap_or(u32::MAX);
        self.min_wait.saturating_mul(factor).min(self.max_wait)
    }

    /// A wait that a Retry-After or `Failure::after` asked for, brought into [`min_wait`, max(`max_wait`, 10 min)].
    pub fn clamp(&self, asked: Duration) -> Duration {
        asked
            .min(self.max_wait.max(Self::LONGEST_ASKED))
            .max(self.min_wait)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 10,
            min_wait: Duration::from_secs(1),
            max_wait: Duration::from_secs(60),
            codes: Codes::default(),
        }
    }
}

impl Codes {
    /// Reads `408,429,5xx`, by comma or white space.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut ranges = split(text).map(range).collect::<Result<Vec<_>, _>>()?;
        if ranges.is_empty() {
            return Err("write at least one status, such as 503 or 5xx".to_owned());
        }
        ranges.sort_by_key(|range| (*range.start(), *range.end()));
        ranges.dedup();
        Ok(Self(ranges))
    }

    /// Whether a status is among them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for Codes {
    fn default() -> Self {
        Self(vec![408..=408, 409..=409, 425..=425, 429..=429, 500..=599])
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}xx", range.start() / 100)?;
            }
        }
        Ok(())
    }
}

fn range(code: &str) -> Result<RangeInclusive<u16>, String> {
    let class = match code {
        "3xx" | "3XX" => Some(300),
        "4xx" | "4XX" => Some(400),
        "5xx" | "5XX" => Some(500),
        _ => None,
    };
    if let Some(first) = class {
        return Ok(first..=first + 99);
    }
    match code.parse() {
        Ok(status @ 300..=599) if code.len() == 3 => Ok(status..=status),
        _ => Err(format!(
            "{code} is no status that can ask for a retry; use 300 to 599, or a class such as 5xx"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_what_may_pass_is_tried_again() {
        let codes = Codes::default();
        let retried: Vec<u16> = (100..600)
            .filter(|status| codes.contains(*status))
            .collect();
        let expected: Vec<u16> = [408, 409, 425, 429].into_iter().chain(500..600).collect();
        assert_eq!(retried, expected);
        assert_eq!(codes.to_string(), "408,409,425,429,5xx");
    }

    #[test]
    fn codes_are_read_by_comma_or_white_space_and_written_back() {
        for (text, canonical) in [
            ("503", "503"),
            ("503, 429", "429,503"),
            ("5xx 408,408", "408,5xx"),
        ] {
            assert_eq!(Codes::parse(text).unwrap().to_string(), canonical);
        }
        assert_eq!(
            Codes::parse(&Codes::default().to_string()),
            Ok(Codes::default())
        );
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for text in [
            "", " ,", "200", "2xx", "600", "0503", "5x", "-503", "503;504",
        ] {
            assert!(Codes::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let seconds: Vec<u64> = (0..9)
            .map(|retry| policy.longest_wait(retry).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(policy.longest_wait(u32::MAX), policy.max_wait);
    }

    #[test]
    fn a_wait_that_was_asked_for_is_clamped() {
        let short = RetryPolicy::default();
        let long = RetryPolicy {
            max_wait: Duration::from_secs(3600),
            ..RetryPolicy::default()
        };
        for (policy, asked, expected) in [
            (&short, 0, 1),
            (&short, 1, 1),
            (&short, 90, 90),
            (&short, 3600, 600),
            (&long, 3600, 3600),
            (&long, 9999, 3600),
        ] {
            assert_eq!(
                policy.clamp(Duration::from_secs(asked)),
                Duration::from_secs(expected)
            );
        }
    }
}
