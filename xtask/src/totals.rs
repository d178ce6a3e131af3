//! Reads the summary lines of Rust's test runner and adds them up.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Tests that ran and passed.
    pub(crate) passed: u64,
    /// Tests that ran and failed.
    pub(crate) failed: u64,
    /// Tests that were left out by `#[ignore]`.
    pub(crate) ignored: u64,
}

// === impl Totals ===

impl Totals {
    /// Reads one line of a test run: `None` unless it is the runner's summary, such as
    /// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let counts = line.trim_start().strip_prefix("test result: ")?;
        let (_, counts) = counts.split_once(". ")?;
        let count = |what: &str| {
            counts
                .split("; ")
                .find_map(|part| part.strip_suffix(what)?.trim().parse().ok())
        };
        Some(Self {
            passed: count(" passed")?,
            failed: count(" failed")?,
            ignored: count(" ignored")?,
        })
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.ignored {
            0 => Ok(()),
            ignored => write!(f, ", {ignored} ignored"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn a_summary_line_is_counted() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        let totals = Totals::of_line(line).expect("a summary line");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (3, 1, 2));
    }

    #[test]
    fn any_other_line_is_not() {
        assert_eq!(Totals::of_line("test a_test ... ok"), None);
        assert_eq!(Totals::of_line("running 3 tests"), None);
        assert_eq!(Totals::of_line("test result: nothing to count"), None);
    }

    #[test]
    fn sums_are_printed_as_one_line() {
        let mut sum = Totals::default();
        for line in [
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured",
            "nothing",
        ] {
            if let Some(totals) = Totals::of_line(line) {
                sum += totals;
                sum += totals;
            }
        }
        assert_eq!(sum.to_string(), "6 passed, 0 failed");
    }
}
