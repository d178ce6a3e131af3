//! A group: who owns which partition, and what is committed of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::offsets::Commit;
use super::{MemberId, SESSION};
use crate::clock::Time;
use crate::sim::ledger::OwnerId;

/// The members of a function's group, and its partitions of one topic.
pub(super) struct Group {
    pub(super) topic: Arc<str>,
    claims: Vec<Claim>,
    members: BTreeMap<MemberId, Member>,
    /// Which member is the first to be dealt a partition.
    shift: usize,
}

/// A partition in a group.
#[derive(Default)]
struct Claim {
    commit: Commit,
    owner: Option<MemberId>,
    /// It was asked for then.
    asked: Option<Time>,
    /// The last commit that counted; one that was sent before it comes too late.
    sent: u64,
}

struct Member {
    owner: OwnerId,
    heard: Time,
    said: VecDeque<Said>,
    bell: Arc<Notify>,
}

/// What a group says to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Assigned(usize),
    Revoking(usize),
    PutOut,
}

/// A member of its own accord.
pub(super) struct Joined {
    pub(super) member: MemberId,
    pub(super) bell: Arc<Notify>,
    /// The group was made just now, and so many records waited for it.
    pub(super) created: Option<u64>,
}

impl Group {
    pub(super) fn new(topic: &Arc<str>, partitions: usize) -> Self {
        Self {
            topic: Arc::clone(topic),
            claims: (0..partitions).map(|_| Claim::default()).collect(),
            members: BTreeMap::new(),
            shift: 0,
        }
    }

    pub(super) fn commits(&self) -> impl Iterator<Item = &Commit> {
        self.claims.iter().map(|claim| &claim.commit)
    }

    /// There is something to read.
    pub(super) fn ring(&self) {
        for member in self.members.values() {
            member.bell.notify_one();
        }
    }

    pub(super) fn join(&mut self, now: Time, id: MemberId, owner: OwnerId) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        let member = Member {
            owner,
            heard: now,
            said: VecDeque::new(),
            bell: Arc::clone(&bell),
        };
        self.members.insert(id, member);
        self.deal(now);
        bell
    }

    /// A member is there.
    pub(super) fn heard(&mut self, now: Time, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.heard = now;
        }
    }

    /// What a member is told next; one that is no member is told that.
    pub(super) fn says(&mut self, id: MemberId) -> Option<Said> {
        match self.members.get_mut(&id) {
            Some(member) => member.said.pop_front(),
            None => Some(Said::PutOut),
        }
    }

    pub(super) fn commit_of(&self, partition: usize) -> Commit {
        self.claims[partition].commit.clone()
    }

    /// Keeps a commit; whose it is, unless it is not for that member to commit.
    pub(super) fn commit(
        &mut self,
        id: MemberId,
        sent: u64,
        partition: usize,
        commit: &Commit,
    ) -> Option<OwnerId> {
        let claim = &mut self.claims[partition];
        if claim.owner != Some(id) {
            return None;
        }
        if sent > claim.sent {
            claim.sent = sent;
            claim.commit = commit.clone();
        }
        Some(self.members.get(&id)?.owner)
    }

    /// A member gives a partition back that was asked for; any other stays its own until it parts.
    pub(super) fn give_back(&mut self, now: Time, id: MemberId, partition: usize) {
        let claim = &mut self.claims[partition];
        if claim.owner == Some(id) && claim.asked.is_some() {
            claim.free();
            self.deal(now);
        }
    }

    /// A member is no more: it left, or it is put out and will hear of it.
    pub(super) fn part(&mut self, now: Time, id: MemberId) {
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        member.bell.notify_one();
        let held = |claim: &&mut Claim| claim.owner == Some(id);
        self.claims.iter_mut().filter(held).for_each(Claim::free);
        self.deal(now);
    }

    /// Puts a member out that is not heard of, or keeps what was asked for; whether it stays.
    pub(super) fn look_at(&mut self, now: Time, id: MemberId) -> bool {
        let Some(member) = self.members.get(&id) else {
            return false;
        };
        let silent = now.since(member.heard) >= SESSION;
        let keeps = |claim: &Claim| {
            let asked = claim.asked.filter(|_| claim.owner == Some(id));
            asked.is_some_and(|asked| now.since(asked) >= SESSION)
        };
        let out = silent || self.claims.iter().any(keeps);
        if out {
            self.part(now, id);
        }
        !out
    }

    /// Puts one of the members out.
    pub(super) fn put_out_one(&mut self, now: Time, place: usize) {
        let count = self.members.len().max(1);
        if let Some(id) = self.members.keys().nth(place % count).copied() {
            self.part(now, id);
        }
    }

    /// Deals the partitions to others.
    pub(super) fn shift(&mut self, now: Time) {
        self.shift += 1;
        self.deal(now);
    }

    /// Asks for a partition, whoever is to have it then.
    pub(super) fn take_away(&mut self, now: Time, partition: usize) {
        let partition = partition % self.claims.len();
        self.ask_for(now, partition);
    }

    /// Gives what is free to whose turn it is, and asks for what is another's turn.
    fn deal(&mut self, now: Time) {
        let ids: Vec<MemberId> = self.members.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        for partition in 0..self.claims.len() {
            let id = ids[(partition + self.shift) % ids.len()];
            match self.claims[partition].owner {
                None => {
                    self.claims[partition].owner = Some(id);
                    self.tell(id, Said::Assigned(partition));
                }
                Some(owner) if owner != id => self.ask_for(now, partition),
                Some(_) => {}
            }
        }
    }

    fn ask_for(&mut self, now: Time, partition: usize) {
        let claim = &mut self.claims[partition];
        if let (Some(owner), None) = (claim.owner, claim.asked) {
            claim.asked = Some(now);
            self.tell(owner, Said::Revoking(partition));
        }
    }

    fn tell(&mut self, id: MemberId, what: Said) {
        if let Some(member) = self.members.get_mut(&id) {
            member.said.push_back(what);
            member.bell.notify_one();
        }
    }
}

impl Claim {
    fn free(&mut self) {
        self.owner = None;
        self.asked = None;
        self.sent = 0;
    }
}
