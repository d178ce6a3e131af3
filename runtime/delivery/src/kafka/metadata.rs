//! What a commit says beside its offset: the record that an owner leaves, and what is finished past the prefix.
//!
//! One line of words, the most important first: `openfaas1 open=120.2 given=2120 suspects=1.3,5.1 done=1.2,1.6`. Suspects are
//! their distance from the committed offset and their attempts; `done` is, again and again, how many are unfinished and
//! how many behind them are finished. What a broker would not take any more is left out: it comes again after a crash.

use std::fmt::Write;
use std::ops::Range;
use std::str::FromStr;

use crate::broker::Record;

/// What a broker takes unless it is told otherwise (`offset.metadata.max.bytes`); it refuses a commit with more.
pub(super) const LONGEST: usize = 4096;

const VERSION: &str = "openfaas1";

/// The words of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    /// What the last owner left, if it leaves anything.
    pub(super) record: Option<Record>,
    /// No owner was given this offset or a later one; for an owner that leaves a record.
    pub(super) given: Option<u64>,
    /// Finished past the committed offset, in order.
    pub(super) done: Vec<Range<u64>>,
}

impl Metadata {
    /// As it stands beside `offset`, in at most `longest` bytes.
    pub(super) fn write(&self, offset: u64, longest: usize) -> String {
        let mut line = String::new();
        if longest < 2 * VERSION.len() {
            return line;
        }
        line.push_str(VERSION);
        if let Some(record) = &self.record {
            let state = if record.open { "open" } else { "clean" };
            let _ = write!(line, " {state}={}.{}", record.floor, record.unclean);
        }
        if let Some(given) = self.given {
            let _ = write!(line, " given={given}");
        }
        let suspects = self.record.iter().flat_map(|record| &record.suspects);
        // What lies before the offset is settled.
        let suspects = suspects
            .filter_map(|(suspect, attempts)| Some((suspect.checked_sub(offset)?, *attempts)));
        if !pairs(&mut line, "suspects", suspects, longest) {
            return line;
        }
        let mut end = offset;
        let done = self.done.iter().map(|range| {
            let unfinished = range.start.saturating_sub(end);
            end = range.end;
            (unfinished, range.end - range.start)
        });
        pairs(&mut line, "done", done, longest);
        line
    }

    /// What was written beside `offset`; nothing, where somebody else wrote it.
    pub(super) fn read(offset: u64, line: &str) -> Self {
        let mut read = Self::default();
        let mut words = line.split(' ');
        if words.next() != Some(VERSION) {
            return read;
        }
        let mut suspects = Vec::new();
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            match name {
                "open" | "clean" => {
                    read.record = pair(value).map(|(floor, unclean)| Record {
                        open: name == "open",
                        floor,
                        unclean,
                        suspects: Vec::new(),
                    });
                }
                "given" => read.given = value.parse().ok(),
                "suspects" => {
                    let absolute =
                        |(distance, attempts)| Some((offset.checked_add(distance)?, attempts));
                    let pairs = value.split(',').filter_map(pair::<u32>);
                    suspects = pairs.filter_map(absolute).collect();
                }
                "done" => {
                    let mut end = offset;
                    for (unfinished, finished) in value.split(',').filter_map(pair::<u64>) {
                        let start = end.saturating_add(unfinished);
                        end = start.saturating_add(finished);
                        read.done.push(start..end);
                    }
                }
                _ => {}
            }
        }
        if let Some(record) = &mut read.record {
            record.suspects = suspects;
        }
        read
    }
}

/// Appends as many pairs as fit; whether all did.
fn pairs<T: std::fmt::Display>(
    line: &mut String,
    name: &str,
    pairs: impl Iterator<Item = (u64, T)>,
    longest: usize,
) -> bool {
    let mut before = format!(" {name}=");
    for (first, second) in pairs {
        let pair = format!("{before}{first}.{second}");
        if line.len() + pair.len() > longest {
            return false;
        }
        line.push_str(&pair);
        before = ",".into();
    }
    true
}

fn pair<T: FromStr>(text: &str) -> Option<(u64, T)> {
    let (first, second) = text.split_once('.')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Metadata {
        Metadata {
            record: Some(Record {
                open: true,
                floor: 120,
                unclean: 2,
                suspects: vec![(121, 3), (125, 1)],
            }),
            given: Some(2_120),
            done: vec![121..123, 124..130],
        }
    }

    #[test]
    fn a_commit_says_who_left_what_and_what_is_done() {
        let line = sample().write(120, LONGEST);
        assert_eq!(
            line,
            "openfaas1 open=120.2 given=2120 suspects=1.3,5.1 done=1.2,1.6"
        );
        assert_eq!(Metadata::read(120, &line), sample());
    }

    #[test]
    fn what_somebody_else_wrote_says_nothing() {
        for line in ["", "consumed by hand", "openfaas2 done=1.2", "done=1.2"] {
            assert_eq!(Metadata::read(7, line), Metadata::default(), "{line}");
        }
    }

    #[test]
    fn the_most_important_is_kept_when_room_is_short() {
        let whole = sample().write(120, LONGEST);
        for room in 0..whole.len() {
            let line = sample().write(120, room);
            assert!(
                line.len() <= room.max("openfaas1 open=120.2 given=2120".len()),
                "{line}"
            );
            assert!(whole.starts_with(&line), "{line}");
        }
    }

    proptest! {
        #[test]
        fn however_much_is_done_it_fits_and_nothing_is_made_up(
            offset in 0..u64::MAX / 4,
            steps in prop::collection::vec((1..2_000_u64, 1..2_000_u64), 0..3_000),
        ) {
            let mut end = offset;
            let done: Vec<_> = steps
                .into_iter()
                .map(|(gap, length)| {
                    let range = end + gap..end + gap + length;
                    end = range.end;
                    range
                })
                .collect();
            let metadata = Metadata { done: done.clone(), ..sample() };
            let line = metadata.write(offset, LONGEST);
            prop_assert!(line.len() <= LONGEST);
            let read = Metadata::read(offset, &line);
            prop_assert!(done.starts_with(&read.done));
            prop_assert!(read.done.len() == done.len() || line.len() > LONGEST - 12);
        }

        #[test]
        fn nothing_that_stands_there_is_a_panic(offset in 0..u64::MAX / 4, line in "(openfaas1 )?(open|done|given|suspects)?=?[0-9.,= ]{0,60}") {
            Metadata::read(offset, &line);
        }
    }
}
