//! One partition that is assigned: its progress, and what of it is committed.

use tokio::sync::oneshot;

use super::metadata::Metadata;
use super::progress::Progress;
use crate::broker::{Record, SourceError};

/// An owner that leaves a record is given offsets only up to a limit that is committed before, so that the next one knows
/// which of them it may have died of. So many more are asked for when fewer are left.
const RESERVE: u64 = 1_000;

/// A partition that this member owns.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) number: i32,
    pub(super) progress: Progress,
    pub(super) phase: Phase,
    record: Option<Record>,
    /// Not given out: this offset and later ones.
    limit: Option<u64>,
    /// Grows with everything that a commit should say.
    changes: u64,
    /// What of it is committed.
    committed: u64,
    /// Told when so much is committed.
    waiting: Vec<(u64, oneshot::Sender<Result<(), SourceError>>)>,
}

/// Whether a partition is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Yes.
    Held,
    /// It goes to another owner once nothing of it is in flight.
    Revoking,
    /// Nothing of it is in flight.
    Left,
}

/// What one commit says of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) metadata: Metadata,
    change: u64,
}

impl Partition {
    /// From this offset on; `found` is what the last owner left, and `fresh` says that there is no commit yet.
    pub(super) fn new(number: i32, offset: u64, found: Metadata, fresh: bool) -> Self {
        Self {
            number,
            progress: Progress::new(offset, found.done),
            phase: Phase::Held,
            record: found.record,
            limit: None,
            changes: u64::from(fresh),
            committed: 0,
            waiting: Vec::new(),
        }
    }

    /// A message came: whether it is to be given out.
    pub(super) fn came(&mut self, offset: u64) -> bool {
        let before = self.progress.prefix();
        let new = self.progress.came(offset);
        self.changes += u64::from(before != self.progress.prefix());
        new
    }

    pub(super) fn finish(&mut self, offset: u64) {
        self.progress.finish(offset);
        self.changes += 1;
    }

    /// There is nothing more before this offset.
    pub(super) fn reached(&mut self, offset: u64) {
        if offset > self.progress.next() {
            self.progress.reached(offset);
            self.changes += 1;
        }
    }

    /// The log was made anew, and begins here.
    pub(super) fn restart(&mut self, offset: u64) {
        self.progress = Progress::new(offset, Vec::new());
        self.changes += 1;
    }

    /// Leaves a record for the next owner; `stored` is told when it is committed.
    pub(super) fn set_record(
        &mut self,
        record: &Record,
        stored: oneshot::Sender<Result<(), SourceError>>,
    ) {
        self.limit = record
            .open
            .then(|| self.limit.unwrap_or(self.progress.next()));
        self.record = Some(record.clone());
        self.changes += 1;
        self.waiting.push((self.changes, stored));
    }

    /// Whether more may be given out of it.
    pub(super) fn may_give(&self) -> bool {
        self.phase == Phase::Held && self.limit.is_none_or(|limit| self.progress.next() < limit)
    }

    pub(super) fn is_committed(&self) -> bool {
        self.changes == self.committed && !self.wants_more()
    }

    /// Somebody waits for a commit of it.
    pub(super) fn is_urgent(&self) -> bool {
        !self.waiting.is_empty() || self.wants_more()
    }

    fn wants_more(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.progress.next() + RESERVE > limit)
    }

    pub(super) fn commit(&self) -> Commit {
        let given = self
            .limit
            .map(|limit| limit.max(self.progress.next() + 2 * RESERVE));
        Commit {
            number: self.number,
            offset: self.progress.prefix(),
            metadata: Metadata {
                record: self.record.clone(),
                given,
                done: self.progress.done(),
            },
            change: self.changes,
        }
    }

    /// The broker has it.
    pub(super) fn stored(&mut self, commit: &Commit) {
        self.committed = self.committed.max(commit.change);
        if let (Some(limit), Some(given)) = (&mut self.limit, commit.metadata.given) {
            *limit = given.max(*limit);
        }
        let (done, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(change, _)| *change <= commit.change);
        self.waiting = waiting;
        tell(done, &Ok(()));
    }

    /// The broker has not taken it: who waits for it asks again.
    pub(super) fn refused(&mut self, error: &SourceError) {
        tell(std::mem::take(&mut self.waiting), &Err(error.clone()));
    }
}

fn tell(
    waiting: Vec<(u64, oneshot::Sender<Result<(), SourceError>>)>,
    result: &Result<(), SourceError>,
) {
    for (_, waiting) in waiting {
        // One who has gone needs no answer.
        let _ = waiting.send(result.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Record {
        Record {
            open: true,
            ..Record::default()
        }
    }

    #[test]
    fn a_fresh_partition_is_committed_at_once_and_another_only_when_something_changed() {
        let fresh = Partition::new(0, 5, Metadata::default(), true);
        assert!(!fresh.is_committed());
        let mut known = Partition::new(0, 5, Metadata::default(), false);
        assert!(known.is_committed());
        assert!(known.came(5));
        assert!(known.is_committed(), "nothing is finished");
        known.finish(5);
        let commit = known.commit();
        assert_eq!((commit.offset, known.is_committed()), (6, false));
        known.stored(&commit);
        assert!(known.is_committed());
    }

    #[test]
    fn what_changes_during_a_commit_is_for_the_next() {
        let mut partition = Partition::new(0, 0, Metadata::default(), false);
        assert!(partition.came(0) && partition.came(1));
        partition.finish(0);
        let commit = partition.commit();
        partition.finish(1);
        partition.stored(&commit);
        assert!(!partition.is_committed());
        assert_eq!(partition.commit().offset, 2);
    }

    #[test]
    fn who_leaves_a_record_is_given_no_more_than_is_committed() {
        let mut partition = Partition::new(0, 0, Metadata::default(), false);
        assert!(partition.came(0));
        let (tell, mut told) = oneshot::channel();
        partition.set_record(&open(), tell);
        assert!(!partition.may_give() && partition.is_urgent());
        let commit = partition.commit();
        let given = commit.metadata.given.unwrap();
        assert_eq!(given, 1 + 2 * RESERVE);
        partition.stored(&commit);
        assert_eq!(told.try_recv().unwrap(), Ok(()));
        let more = (1..).take_while(|offset| partition.may_give() && partition.came(*offset));
        assert_eq!(more.last(), Some(given - 1));
        assert!(partition.is_urgent(), "it asks for more");
        let commit = partition.commit();
        partition.stored(&commit);
        assert!(partition.may_give());
    }

    #[test]
    fn a_record_that_is_refused_is_told() {
        let mut partition = Partition::new(0, 0, Metadata::default(), false);
        let (tell, mut told) = oneshot::channel();
        partition.set_record(&Record::default(), tell);
        partition.refused(&SourceError::Lost);
        assert_eq!(told.try_recv().unwrap(), Err(SourceError::Lost));
        assert!(!partition.is_committed(), "it is tried again");
    }
}
