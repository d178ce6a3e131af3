//! One partition that is assigned: its progress, and what of it is committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;

use super::metadata::Metadata;
use super::progress::Progress;
use crate::broker::{FinishError, Publication, PublishError, Record, SourceError};

/// An owner that leaves a record is given offsets only up to a limit that is committed before, so that the next one knows
/// which of them it may have died of. So many more are asked for when fewer are left.
const RESERVE: u64 = 1_000;

/// What is left free of a commit's metadata when replies go with it: suspects and limits may need it before the prefix moves.
const SPARE: usize = 256;

/// A partition that this member owns.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) number: i32,
    /// Which it is of all that were ever assigned: a late answer to a commit of an earlier one is none of its own.
    ownership: u64,
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
    /// Inputs that are finished once a commit with their replies is made.
    finishing: BTreeMap<u64, Finishing>,
}

/// An input whose replies go with a commit.
#[derive(Debug)]
struct Finishing {
    replies: Replies,
    tell: oneshot::Sender<Result<(), FinishError>>,
}

/// All that an input leaves behind beside its place.
pub(super) type Replies = Arc<[Publication]>;

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
    ownership: u64,
    pub(super) offset: u64,
    pub(super) metadata: Metadata,
    /// These are finished by it, with these replies.
    pub(super) finishing: Vec<(u64, Replies)>,
    change: u64,
}

impl Partition {
    /// From this offset on; `found` is what the last owner left, and `fresh` says that there is no commit yet.
    pub(super) fn new(number: i32, offset: u64, found: Metadata, fresh: bool) -> Self {
        static OWNERSHIPS: AtomicU64 = AtomicU64::new(0);
        Self {
            number,
            ownership: OWNERSHIPS.fetch_add(1, Ordering::Relaxed),
            progress: Progress::new(offset, found.done),
            phase: Phase::Held,
            record: found.record,
            limit: None,
            changes: u64::from(fresh),
            committed: 0,
            waiting: Vec::new(),
            finishing: BTreeMap::new(),
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

    /// Finishes an input with the next commit that has room for it, and stores these replies with it.
    pub(super) fn finish_with(
        &mut self,
        offset: u64,
        replies: Replies,
        tell: oneshot::Sender<Result<(), FinishError>>,
    ) {
        self.finishing.insert(offset, Finishing { replies, tell });
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
        self.changes == self.committed && !self.wants_more() && !self.is_finishing()
    }

    /// How much a commit would say that none has said.
    pub(super) fn uncommitted(&self) -> u64 {
        self.changes - self.committed
    }

    /// Replies wait for a commit of it.
    pub(super) fn is_finishing(&self) -> bool {
        !self.finishing.is_empty()
    }

    /// Somebody waits for a commit of it.
    pub(super) fn is_urgent(&self) -> bool {
        !self.waiting.is_empty() || self.wants_more() || self.is_finishing()
    }

    fn wants_more(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.progress.next() + RESERVE > limit)
    }

    /// What is to be committed of it, with so many inputs that are finished by it at most; nothing, where that would say
    /// nothing new. An input that lies past the prefix waits where `longest` bytes of metadata cannot say that it is finished,
    /// for then its replies would be stored again after a crash.
    pub(super) fn commit(&self, at_once: usize, longest: usize) -> Option<Commit> {
        let finishing: Vec<(u64, Replies)> = self
            .finishing
            .iter()
            .take(at_once)
            .map(|(offset, finishing)| (*offset, Arc::clone(&finishing.replies)))
            .collect();
        let mut commit = self.commit_with(finishing);
        if !commit.finishing.is_empty() {
            let line = commit.metadata.write(commit.offset, usize::MAX);
            if line.len() + SPARE > longest {
                let mut finishing = std::mem::take(&mut commit.finishing);
                finishing.retain(|(offset, _)| *offset < commit.offset);
                commit = self.commit_with(finishing);
            }
        }
        let new =
            !commit.finishing.is_empty() || self.changes != self.committed || self.wants_more();
        new.then_some(commit)
    }

    fn commit_with(&self, finishing: Vec<(u64, Replies)>) -> Commit {
        let mut ahead = None;
        for (offset, _) in &finishing {
            let ahead = ahead.get_or_insert_with(|| self.progress.clone());
            ahead.finish(*offset);
        }
        let progress = ahead.as_ref().unwrap_or(&self.progress);
        let given = self
            .limit
            .map(|limit| limit.max(progress.next() + 2 * RESERVE));
        Commit {
            number: self.number,
            ownership: self.ownership,
            offset: progress.prefix(),
            metadata: Metadata {
                record: self.record.clone(),
                given,
                done: progress.done(),
            },
            finishing,
            change: self.changes,
        }
    }

    /// The broker has it.
    pub(super) fn stored(&mut self, commit: &Commit) {
        if commit.ownership != self.ownership {
            return;
        }
        self.committed = self.committed.max(commit.change);
        if let (Some(limit), Some(given)) = (&mut self.limit, commit.metadata.given) {
            *limit = given.max(*limit);
        }
        let (done, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(change, _)| *change <= commit.change);
        self.waiting = waiting;
        tell(done, &Ok(()));
        for (offset, _) in &commit.finishing {
            self.progress.finish(*offset);
            self.tell_finishing(*offset, Ok(()));
        }
    }

    /// The broker has not taken it: who waits for it asks again.
    pub(super) fn refused(&mut self, commit: &Commit, error: &SourceError) {
        if commit.ownership != self.ownership {
            return;
        }
        tell(std::mem::take(&mut self.waiting), &Err(error.clone()));
        for (offset, _) in &commit.finishing {
            self.tell_finishing(*offset, Err(error.clone().into()));
        }
    }

    /// The broker will never take a reply of these inputs.
    pub(super) fn refused_replies(&mut self, commit: &Commit, inputs: Vec<(u64, PublishError)>) {
        if commit.ownership != self.ownership {
            return;
        }
        for (offset, error) in inputs {
            self.tell_finishing(offset, Err(FinishError::Refused(error)));
        }
    }

    fn tell_finishing(&mut self, offset: u64, result: Result<(), FinishError>) {
        if let Some(finishing) = self.finishing.remove(&offset) {
            // One who has gone needs no answer.
            let _ = finishing.tell.send(result);
        }
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
mod tests;
