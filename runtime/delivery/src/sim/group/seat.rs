//! What a member of a group does of its own accord: it reads, says that it is there, and commits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::claim::{Group, Said};
use super::offsets::{Commit, Notes, Offsets};
use super::{Cluster, MemberId, Read};
use crate::broker::{Assignment, Count, Demand, Message, Record, SourceEvent};
use crate::clock::{Clock, Time};
use crate::engine::Planted;
use crate::engine::mistake::Mistake;
use crate::sim::process::Process;

/// What of a member lives on without its engine's attention.
pub(super) struct Seat {
    pub(super) cluster: Cluster,
    pub(super) process: Process,
    pub(super) planted: Planted,
    pub(super) topic: Arc<str>,
    pub(super) group: Arc<str>,
    pub(super) member: MemberId,
    pub(super) window: Option<usize>,
    pub(super) bell: Arc<Notify>,
    pub(super) mine: Mutex<Mine>,
}

/// What it owns, and what came of it.
#[derive(Default)]
pub(super) struct Mine {
    pub(super) partitions: BTreeMap<usize, Held>,
    pub(super) demand: Demand,
    pub(super) given: Count,
    /// The partition that is read next.
    pub(super) turn: usize,
    /// Commits sent.
    pub(super) sent: u64,
    pub(super) created: Option<u64>,
    /// It was put out, and its engine knows since then.
    pub(super) lost: Option<Time>,
}

/// A partition that this member owns.
pub(super) struct Held {
    pub(super) offsets: Offsets,
    pub(super) record: Option<Record>,
    /// Its end stands in no commit yet.
    pub(super) changed: bool,
    /// It goes to another: nothing more is read.
    pub(super) revoking: bool,
}

impl Seat {
    pub(super) fn lock(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to tell the engine: what the group says, or a record of one of the partitions in turn.
    pub(super) fn look(&self) -> Option<SourceEvent> {
        if let Some(said) = self
            .cluster
            .with(&self.group, |group| group.says(self.member))
            .flatten()
            && let Some(event) = self.told(said)
        {
            return Some(event);
        }
        let count = self.cluster.partitions;
        let first = self.lock().turn;
        (first..first + count).find_map(|turn| {
            let found = self.read(turn % count)?;
            self.lock().turn = turn + 1;
            Some(found)
        })
    }

    fn told(&self, said: Said) -> Option<SourceEvent> {
        match said {
            Said::Assigned(partition) => Some(SourceEvent::Assigned(self.assigned(partition))),
            Said::Revoking(partition) => {
                let log = self.log(partition);
                let mut mine = self.lock();
                let Some(held) = mine.partitions.get_mut(&partition) else {
                    // Its engine has left it already.
                    drop(mine);
                    self.give_back(partition);
                    return None;
                };
                held.revoking = true;
                drop(mine);
                self.process.ledger.revoked(self.process.owner, &log);
                Some(SourceEvent::Revoking { log })
            }
            Said::PutOut => Some(SourceEvent::Lost(
                "the group has put this member out".into(),
            )),
        }
    }

    /// The group may have a partition that it asked for.
    pub(super) fn give_back(&self, partition: usize) {
        let now = self.process.world.now();
        let give = |group: &mut Group| group.give_back(now, self.member, partition);
        self.cluster.with(&self.group, give);
    }

    fn log(&self, partition: usize) -> Arc<str> {
        Arc::from(format!("{}/{partition}", self.topic))
    }

    fn assigned(&self, partition: usize) -> Assignment {
        let commit = self
            .cluster
            .with(&self.group, |group| group.commit_of(partition))
            .unwrap_or_default();
        let notes = Notes::of(&commit);
        let log = self.log(partition);
        self.process.ledger.assigned(self.process.owner, &log);
        let assignment = Assignment {
            log,
            floor: commit.offset,
            delivered: self.delivered(partition, commit.offset, &notes),
            shuffled: false,
            record: notes.record.clone(),
            created: self.lock().created.take(),
        };
        let mut offsets = Offsets::after(&commit, &notes);
        if self.planted.is(Mistake::BeginPastCommit) {
            offsets.pass(assignment.delivered.map_or(0, |last| last + 1));
        }
        let held = Held {
            offsets,
            record: notes.record,
            changed: true,
            revoking: false,
        };
        self.lock().partitions.insert(partition, held);
        assignment
    }

    /// The last that the owner before may have had: as far as a window of what is not finished reaches.
    fn delivered(&self, partition: usize, offset: u64, notes: &Notes) -> Option<u64> {
        let mut at = offset;
        let mut last = None;
        let mut room = self.window.unwrap_or(usize::MAX);
        while room > 0 {
            match self.cluster.read(&self.topic, partition, at) {
                Read::Record(message) => {
                    let offset = message.position.offset;
                    at = offset + 1;
                    if !notes.finished.contains(&offset) {
                        last = Some(offset);
                        room -= 1;
                    }
                }
                Read::Gone(_, first) => at = first,
                Read::End(_) => break,
            }
        }
        last
    }

    /// The next record of a partition, if there is one and it may come.
    fn read(&self, partition: usize) -> Option<SourceEvent> {
        let mut mine = self.lock();
        let (demand, given) = (mine.demand, mine.given);
        let held = mine.partitions.get_mut(&partition)?;
        while !held.revoking {
            match self
                .cluster
                .read(&self.topic, partition, held.offsets.position())
            {
                Read::Record(message) => {
                    if !demand.takes(given, message.size()) {
                        return None;
                    }
                    if held.offsets.read(message.position.offset) {
                        mine.given.add(message.size());
                        return Some(SourceEvent::Message(Message::clone(&message)));
                    }
                }
                Read::Gone(count, first) => {
                    held.offsets.pass(first);
                    held.changed = true;
                    let log = self.log(partition);
                    return Some(SourceEvent::Gap { log, count });
                }
                Read::End(end) => {
                    held.changed |= held.offsets.position() < end;
                    held.offsets.pass(end);
                    return None;
                }
            }
        }
        None
    }

    /// Says that it is there, and commits what has changed; whether it goes on.
    pub(super) fn beat(self: &Arc<Self>) -> bool {
        if self.lock().lost.is_some() {
            return false;
        }
        let seat = Arc::clone(self);
        let faults = self.process.ledger.plan.faults;
        self.process.send(faults.progress, move || {
            let now = seat.process.world.now();
            let heard = |group: &mut Group| group.heard(now, seat.member);
            seat.cluster.with(&seat.group, heard);
        });
        let changed: Vec<usize> = {
            let mut mine = self.lock();
            let held = mine.partitions.iter_mut();
            held.filter_map(|(partition, held)| {
                std::mem::take(&mut held.changed).then_some(*partition)
            })
            .collect()
        };
        for partition in changed {
            if let Some((sent, commit)) = self.prepare(partition, None) {
                self.send(sent, partition, commit);
            }
        }
        true
    }

    /// Sends a commit; where no answer comes it is sent again with the next beat.
    fn send(self: &Arc<Self>, sent: u64, partition: usize, commit: Commit) {
        let world = &self.process.world;
        let failures = self.process.ledger.plan.faults.settle;
        let lost = world.chance(failures);
        let seat = Arc::clone(self);
        world.after(world.latency(), move || {
            let deaf = lost || seat.process.world.chance(failures / 4);
            if let Some(held) = seat.lock().partitions.get_mut(&partition) {
                held.changed |= deaf;
            }
            if !lost {
                seat.commit(sent, partition, &commit);
            }
        });
    }

    /// The commit of a partition as it stands, with this record from now on.
    pub(super) fn prepare(
        &self,
        partition: usize,
        record: Option<&Record>,
    ) -> Option<(u64, Commit)> {
        let most = match self.planted.is(Mistake::CommitTooMuch) {
            true => usize::MAX,
            false => self.process.ledger.plan.metadata,
        };
        let mut mine = self.lock();
        mine.sent += 1;
        let sent = mine.sent;
        let held = mine.partitions.get_mut(&partition)?;
        if let Some(record) = record {
            held.record = Some(record.clone());
        }
        let prefix = match held.offsets.last() {
            Some(last) if self.planted.is(Mistake::CommitPastUnfinished) => last + 1,
            _ => held.offsets.prefix(),
        };
        let commit = held.offsets.commit(prefix, held.record.as_ref(), most);
        Some((sent, commit))
    }

    /// The commit arrives.
    pub(super) fn commit(&self, sent: u64, partition: usize, commit: &Commit) -> bool {
        self.cluster
            .commit(&self.group, self.member, sent, partition, commit)
    }
}
