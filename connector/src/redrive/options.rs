//! The command line of `redrive`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::which::Which;
use crate::cli::From;

/// What to do with dead letters.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where they lie
    #[arg(long, value_enum)]
    pub(crate) broker: From,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List them
    List {
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print one with all that is in it
    Show {
        /// As the list names it
        letter: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put them back for the function that they were for, and for no other
    PutBack(PutBack),
    /// Remove them for good
    Purge(Purge),
}

/// How letters are put back.
#[derive(Debug, Args)]
pub(crate) struct PutBack {
    #[command(flatten)]
    pub(super) these: These,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// At most so many, as 10/s, 10/m or 10/h
    #[arg(long, value_name = "N/s", value_parser = interval)]
    pub(super) rate: Option<Duration>,
    /// Also what has come back three times
    #[arg(long)]
    pub(super) force: bool,
}

/// How letters are removed.
#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(super) these: These,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
}

/// Which letters: some, or all that are like this.
#[derive(Debug, Args)]
pub(super) struct These {
    /// As the list names them
    #[arg(required_unless_present_any = LIKE, conflicts_with_all = LIKE)]
    pub(super) letters: Vec<String>,
    /// All that there are
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) which: Which,
}

/// What says which letters are meant, without their names.
const LIKE: [&str; 6] = [
    "all",
    "function",
    "reason",
    "older_than",
    "newer_than",
    "topic",
];

/// The time between two of so many.
fn interval(text: &str) -> Result<Duration, String> {
    let (number, per) = text.split_once('/').unwrap_or((text, "s"));
    let unit = match per {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("it is a number per s, m or h, such as 10/s".to_owned()),
    };
    match number.parse::<u32>() {
        Ok(number) if number > 0 => Ok(Duration::from_secs(unit) / number),
        _ => Err("it is a whole number above nought, such as 10/s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        for (text, expected) in [
            ("10/s", Some(100)),
            ("10", Some(100)),
            ("30/m", Some(2_000)),
            ("1/h", Some(3_600_000)),
            ("0/s", None),
            ("-1/s", None),
            ("10/d", None),
            ("", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(interval(text).ok(), expected, "{text}");
        }
    }
}
