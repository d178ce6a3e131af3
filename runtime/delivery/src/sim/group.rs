//! A Kafka-like broker: topics in partitions, and groups that share them.
//!
//! A group deals out its partitions to its members, and anew whenever one comes or goes. A partition that moves is first
//! asked for; who does not give it up within the session, or is not heard of for so long, is put out and loses everything
//! without a word. All that a group keeps of a partition is one commit, and it takes one only from the partition's owner.

mod claim;
mod offsets;
mod seat;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::claim::Group;
use self::offsets::{Commit, Notes};
pub(super) use self::source::GroupSource;
use super::ledger::{Ledger, OwnerId};
use super::world::World;
use crate::broker::{Message, Position, Publication};
use crate::clock::Clock;

/// A member that is not heard of for so long, or keeps a partition that is asked for, is put out.
const SESSION: Duration = Duration::from_secs(8);

/// How often a group looks for such.
const SWEEP: Duration = Duration::from_secs(1);

/// One member of a group; who comes again is another.
type MemberId = u64;

/// The broker. A clone is the same one.
#[derive(Clone)]
pub(super) struct Cluster {
    world: World,
    ledger: Ledger,
    partitions: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<Arc<str>, Vec<Partition>>,
    groups: BTreeMap<Arc<str>, Group>,
    next_member: MemberId,
}

/// A log of records; a marker takes an offset too.
struct Partition {
    log: Arc<str>,
    /// The oldest that retention has left.
    first: u64,
    end: u64,
    records: BTreeMap<u64, Arc<Message>>,
}

/// What a read finds at an offset.
enum Read {
    Record(Arc<Message>),
    /// So many records are gone; the oldest left is there.
    Gone(u64, u64),
    /// Nothing more, up to the end.
    End(u64),
}

impl Cluster {
    pub(super) fn new(world: World, ledger: Ledger, partitions: usize) -> Self {
        Self {
            world,
            ledger,
            partitions,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a record in the partition of its key, and perhaps a marker after it.
    pub(super) fn store(&self, what: &Publication, marker: bool) -> Arc<Message> {
        let partition = match &what.key {
            Some(key) => key.iter().map(|byte| usize::from(*byte)).sum(),
            None => self.world.below(self.partitions as u64) as usize,
        } % self.partitions;
        let mut state = self.lock();
        let partition = &mut state.partitions_of(&what.topic, self.partitions)[partition];
        let message = Arc::new(Message {
            topic: Arc::clone(&what.topic),
            position: Position {
                log: Arc::clone(&partition.log),
                offset: partition.end,
            },
            time: Some(self.world.wall()),
            key: what.key.clone(),
            headers: what.headers.clone(),
            body: what.body.clone(),
        });
        partition
            .records
            .insert(partition.end, Arc::clone(&message));
        partition.end += 1 + u64::from(marker);
        for group in state.groups.values() {
            if group.topic == what.topic {
                group.ring();
            }
        }
        message
    }

    /// Retention removes everything of a log up to this record; the positions that are gone.
    pub(super) fn expire(&self, position: &Position) -> Vec<Position> {
        let mut state = self.lock();
        let mut partitions = state.topics.values_mut().flatten();
        let Some(partition) = partitions.find(|partition| partition.log == position.log) else {
            return Vec::new();
        };
        partition.first = position.offset + 1;
        let left = partition.records.split_off(&partition.first);
        let gone = std::mem::replace(&mut partition.records, left);
        gone.into_values()
            .map(|message| message.position.clone())
            .collect()
    }

    /// What of all logs is not committed to its end.
    pub(super) fn uncommitted(&self) -> Vec<String> {
        let state = self.lock();
        let behind = |group: &Group| -> Vec<String> {
            let partitions = state.topics.get(&group.topic).into_iter().flatten();
            partitions
                .zip(group.commits())
                .filter(|(partition, commit)| commit.offset < partition.end)
                .map(|(partition, commit)| {
                    format!("{}: {} of {}", partition.log, commit.offset, partition.end)
                })
                .collect()
        };
        state.groups.values().flat_map(behind).collect()
    }

    /// Somebody looks at the group of this name, and deals its partitions anew.
    pub(super) fn rebalance(&self, name: &str) {
        let (shift, partition) = (self.world.chance(500), self.world.below(1_000) as usize);
        let now = self.world.now();
        if let Some(group) = self.lock().groups.get_mut(name) {
            match shift {
                true => group.shift(now),
                false => group.take_away(now, partition),
            }
        }
    }

    /// A member of the group of this name is put out.
    pub(super) fn evict(&self, name: &str) {
        let (now, place) = (self.world.now(), self.world.below(1_000) as usize);
        if let Some(group) = self.lock().groups.get_mut(name) {
            group.put_out_one(now, place);
        }
    }

    /// A new member.
    fn join(&self, topic: &Arc<str>, name: &Arc<str>, owner: OwnerId) -> claim::Joined {
        let now = self.world.now();
        let mut state = self.lock();
        state.next_member += 1;
        let member = state.next_member;
        let waiting: usize = state
            .partitions_of(topic, self.partitions)
            .iter()
            .map(|partition| partition.records.len())
            .sum();
        let partitions = self.partitions;
        let mut created = None;
        let group = state.groups.entry(Arc::clone(name)).or_insert_with(|| {
            created = Some(waiting as u64);
            Group::new(topic, partitions)
        });
        let bell = group.join(now, member, owner);
        drop(state);
        self.sweep(name, member);
        claim::Joined {
            member,
            bell,
            created,
        }
    }

    /// Looks every so often whether a member is still there.
    fn sweep(&self, name: &Arc<str>, member: MemberId) {
        let (cluster, name) = (self.clone(), Arc::clone(name));
        self.world.after(SWEEP, move || {
            let now = cluster.world.now();
            let stays = {
                let mut state = cluster.lock();
                let group = state.groups.get_mut(&name);
                group.is_some_and(|group| group.look_at(now, member))
            };
            if stays {
                cluster.sweep(&name, member);
            }
        });
    }

    /// Does something with a group.
    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Group) -> T) -> Option<T> {
        self.lock().groups.get_mut(name).map(act)
    }

    /// Takes a commit from the owner of a partition; whether it is that.
    fn commit(&self, name: &str, member: MemberId, sent: u64, at: usize, commit: &Commit) -> bool {
        let mut state = self.lock();
        let State { topics, groups, .. } = &mut *state;
        let Some(group) = groups.get_mut(name) else {
            return false;
        };
        let Some(owner) = group.commit(member, sent, at, commit) else {
            return false;
        };
        let Some(log) = topics.get(&group.topic).map(|all| Arc::clone(&all[at].log)) else {
            return false;
        };
        drop(state);
        let finished = Notes::of(commit).finished;
        let size = commit.metadata.len();
        self.ledger
            .committed(owner, &log, commit.offset, &finished, size);
        true
    }

    /// What lies at this offset of a partition, or after it.
    /// The offsets of all records from this one on.
    fn left(&self, topic: &str, partition: usize, offset: u64) -> Vec<u64> {
        let state = self.lock();
        let partition = state.topics.get(topic).and_then(|all| all.get(partition));
        let records = partition.map(|partition| partition.records.range(offset..));
        records
            .into_iter()
            .flatten()
            .map(|(offset, _)| *offset)
            .collect()
    }

    fn read(&self, topic: &str, partition: usize, offset: u64) -> Read {
        let state = self.lock();
        let Some(partition) = state.topics.get(topic).and_then(|all| all.get(partition)) else {
            return Read::End(offset);
        };
        if offset < partition.first {
            return Read::Gone(partition.first - offset, partition.first);
        }
        match partition.records.range(offset..).next() {
            Some((_, message)) => Read::Record(Arc::clone(message)),
            None => Read::End(partition.end),
        }
    }
}

impl State {
    fn partitions_of(&mut self, topic: &Arc<str>, count: usize) -> &mut Vec<Partition> {
        self.topics.entry(Arc::clone(topic)).or_insert_with(|| {
            (0..count)
                .map(|number| Partition {
                    log: Arc::from(format!("{topic}/{number}")),
                    first: 0,
                    end: 0,
                    records: BTreeMap::new(),
                })
                .collect()
        })
    }
}
