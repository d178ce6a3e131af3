//! What of a partition is finished: a prefix, and what lies past it. And how a commit says so.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::broker::Record;

/// What stands at the broker for one partition of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Commit {
    /// Everything before it is finished.
    pub(super) offset: u64,
    pub(super) metadata: String,
}

/// What a commit's metadata says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    pub(super) record: Option<Record>,
    /// Finished past the prefix.
    pub(super) finished: BTreeSet<u64>,
}

/// A partition as its owner has read it.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// The next to be read.
    position: u64,
    /// Read, and not finished.
    open: BTreeSet<u64>,
    /// Finished, by this owner or, as the notes say, by one before it.
    finished: BTreeSet<u64>,
}

impl Offsets {
    /// Where an owner begins after this commit.
    pub(super) fn after(commit: &Commit, notes: &Notes) -> Self {
        Self {
            position: commit.offset,
            open: BTreeSet::new(),
            finished: notes.finished.clone(),
        }
    }

    /// The next to be read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// A record was read; whether it is to be given out.
    pub(super) fn read(&mut self, offset: u64) -> bool {
        self.position = offset + 1;
        !self.finished.contains(&offset) && self.open.insert(offset)
    }

    /// There is no record before this.
    pub(super) fn pass(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    pub(super) fn finish(&mut self, offset: u64) {
        if self.open.remove(&offset) {
            self.finished.insert(offset);
        }
    }

    /// Everything before it is finished, or never was a record.
    pub(super) fn prefix(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.position)
    }

    /// How many are not finished, where these are not read.
    pub(super) fn unfinished(&self, left: &[u64]) -> usize {
        let new = left.iter().filter(|offset| !self.finished.contains(offset));
        self.open.len() + new.count()
    }

    /// The last that is finished.
    pub(super) fn last(&self) -> Option<u64> {
        self.finished.last().copied()
    }

    /// The commit of all this up to `offset`: first the record, then of what is finished past the prefix as much as fits.
    pub(super) fn commit(&mut self, offset: u64, record: Option<&Record>, most: usize) -> Commit {
        self.finished = self.finished.split_off(&offset);
        let mut metadata = String::new();
        if let Some(record) = record {
            let _ = write!(
                metadata,
                "{},{},{}",
                u8::from(record.open),
                record.floor,
                record.unclean
            );
            for (suspect, attempts) in &record.suspects {
                if !append(&mut metadata, &format!(",{suspect}:{attempts}"), most) {
                    break;
                }
            }
        }
        metadata.push(';');
        // Each is told from the one before it: after one that does not fit none may follow.
        for (open, done) in runs(offset, &self.finished) {
            if !append(&mut metadata, &format!("{open}+{done},"), most) {
                break;
            }
        }
        Commit { offset, metadata }
    }
}

/// Adds a word where it fits.
fn append(text: &mut String, word: &str, most: usize) -> bool {
    let fits = text.len() + word.len() < most;
    if fits {
        text.push_str(word);
    }
    fits
}

/// Lengths of what is not finished and what is, in turn.
fn runs(prefix: u64, finished: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut next = prefix;
    for &offset in finished {
        match runs.last_mut() {
            Some((_, done)) if offset == next => *done += 1,
            _ => runs.push((offset - next, 1)),
        }
        next = offset + 1;
    }
    runs
}

impl Notes {
    /// Reads what [`Offsets::commit`] wrote.
    pub(super) fn of(commit: &Commit) -> Self {
        let (record, runs) = commit.metadata.split_once(';').unwrap_or_default();
        let mut notes = Self {
            record: read_record(record),
            finished: BTreeSet::new(),
        };
        let mut next = commit.offset;
        for run in runs.split_terminator(',') {
            let Some((open, done)) = pair(run, '+') else {
                break;
            };
            notes.finished.extend(next + open..next + open + done);
            next += open + done;
        }
        notes
    }
}

fn read_record(text: &str) -> Option<Record> {
    let mut words = text.split(',');
    let mut number = || words.next()?.parse::<u64>().ok();
    Some(Record {
        open: number()? == 1,
        floor: number()?,
        unclean: number()?.try_into().ok()?,
        suspects: words
            .filter_map(|word| pair(word, ':'))
            .map(|(suspect, attempts)| (suspect, attempts as u32))
            .collect(),
    })
}

fn pair(word: &str, between: char) -> Option<(u64, u64)> {
    let (one, other) = word.split_once(between)?;
    Some((one.parse().ok()?, other.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Random, Seeded};

    fn record() -> Record {
        Record {
            open: true,
            floor: 5,
            unclean: 2,
            suspects: vec![(7, 1), (9, 3)],
        }
    }

    #[test]
    fn the_prefix_stops_at_the_first_that_is_not_finished() {
        let mut offsets = Offsets::default();
        assert!((0..6).all(|offset| offsets.read(offset)));
        for offset in [0, 1, 3, 4] {
            offsets.finish(offset);
        }
        let commit = offsets.commit(offsets.prefix(), None, 4_096);
        assert_eq!((commit.offset, commit.metadata.as_str()), (2, ";1+2,"));
        for offset in [2, 5] {
            offsets.finish(offset);
        }
        // A marker that nobody ever reads.
        offsets.pass(7);
        assert_eq!(offsets.prefix(), 7);
    }

    #[test]
    fn the_next_owner_reads_only_what_is_not_finished() {
        let mut random = Seeded::new(1);
        for _ in 0..100 {
            let mut offsets = Offsets::default();
            assert!((0..50).all(|offset| offsets.read(offset)));
            let finished: BTreeSet<u64> = (0..50)
                .filter(|_| random.next().is_multiple_of(2))
                .collect();
            finished.iter().for_each(|offset| offsets.finish(*offset));
            let commit = offsets.commit(offsets.prefix(), Some(&record()), 4_096);
            let notes = Notes::of(&commit);
            assert_eq!(notes.record, Some(record()));
            let mut next = Offsets::after(&commit, &notes);
            let read: Vec<u64> = (commit.offset..50).filter(|at| next.read(*at)).collect();
            let open: Vec<u64> = (0..50).filter(|at| !finished.contains(at)).collect();
            assert_eq!(read, open);
        }
    }

    #[test]
    fn nothing_follows_what_does_not_fit() {
        let mut offsets = Offsets::default();
        assert!((0..30).all(|offset| offsets.read(offset)));
        [1, 25, 27]
            .iter()
            .for_each(|offset| offsets.finish(*offset));
        let commit = offsets.commit(0, None, 10);
        assert_eq!(commit.metadata, ";1+1,", "neither 23+1, nor 1+1,");
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let mut offsets = Offsets::default();
        assert!((0..100).all(|offset| offsets.read(offset)));
        (1..100)
            .step_by(2)
            .for_each(|offset| offsets.finish(offset));
        let commit = offsets.commit(0, Some(&record()), 40);
        assert!(commit.metadata.len() <= 40, "{}", commit.metadata);
        let notes = Notes::of(&commit);
        assert_eq!(notes.record, Some(record()), "the notes come first");
        assert_eq!(notes.finished.first(), Some(&1));
        assert!(notes.finished.len() < 50);
    }
}
