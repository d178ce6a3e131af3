//! A durable: what its owners hold of a topic and what they have settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Store;
use crate::broker::{Assignment, Message, Record, SourceEvent, Subscription};
use crate::clock::Time;

/// What one subscription has settled, and what is out.
#[derive(Debug)]
pub(super) struct Durable {
    topic: Arc<str>,
    ordered: bool,
    window: Option<usize>,
    /// The first offset that was never given out.
    next: u64,
    pending: BTreeMap<u64, Pending>,
    /// When each pending one comes again.
    due: BTreeSet<(Time, u64)>,
    record: Option<Record>,
    owners: Vec<u64>,
}

/// A message that is out.
#[derive(Debug)]
struct Pending {
    owner: u64,
    due: Time,
}

impl Store {
    /// A new owner of a subscription, and what it begins with; `None` while an ordered one has an owner.
    pub(in crate::memory) fn open(
        &mut self,
        subscription: &Subscription,
    ) -> Option<(u64, Assignment)> {
        let topic = self
            .topics
            .entry(Arc::clone(&subscription.topic))
            .or_default();
        let mut created = None;
        let durable = self
            .durables
            .entry(Arc::clone(&subscription.durable))
            .or_insert_with(|| {
                let next = topic.starting_at(subscription.start);
                created = Some(topic.messages.range(next..).count() as u64);
                topic.durables.push(Arc::clone(&subscription.durable));
                Durable {
                    topic: Arc::clone(&subscription.topic),
                    ordered: subscription.ordered,
                    window: None,
                    next,
                    pending: BTreeMap::new(),
                    due: BTreeSet::new(),
                    record: None,
                    owners: Vec::new(),
                }
            });
        durable.ordered = subscription.ordered;
        durable.window = subscription.window;
        if durable.ordered && !durable.owners.is_empty() {
            return None;
        }
        self.next_owner += 1;
        durable.owners.push(self.next_owner);
        let assignment = Assignment {
            log: Arc::clone(&subscription.topic),
            floor: durable.floor(),
            delivered: (!durable.pending.is_empty()).then(|| durable.next - 1),
            shuffled: true,
            record: durable.record.clone(),
            created,
        };
        Some((self.next_owner, assignment))
    }

    /// Messages that were removed before this durable saw them; told once.
    pub(in crate::memory) fn gap(&mut self, durable: &str) -> Option<SourceEvent> {
        let durable = self.durables.get_mut(durable)?;
        let topic = self.topics.get(&durable.topic)?;
        let next = topic
            .messages
            .range(durable.next..)
            .next()
            .map_or(topic.last + 1, |(offset, _)| *offset);
        let count = next.checked_sub(durable.next).filter(|count| *count > 0)?;
        durable.next = next;
        Some(SourceEvent::Gap {
            log: Arc::clone(&durable.topic),
            count,
        })
    }

    /// The next message for this owner: one whose time to come again is over, else the next new one, if
    /// it fits.
    pub(in crate::memory) fn take(
        &mut self,
        now: Time,
        durable: &str,
        owner: u64,
        fits: impl Fn(usize) -> bool,
    ) -> Option<Arc<Message>> {
        let ack_wait = self.limits.ack_wait;
        let durable = self.durables.get_mut(durable)?;
        let topic = self.topics.get(&durable.topic)?;
        while let Some(&(due, offset)) = durable.due.first().filter(|(due, _)| *due <= now) {
            let Some(message) = topic.messages.get(&offset) else {
                durable.take_back(offset);
                continue;
            };
            if !fits(message.size()) {
                return None;
            }
            durable.due.remove(&(due, offset));
            durable.give(offset, owner, now + ack_wait);
            return Some(Arc::clone(message));
        }
        if durable
            .window
            .is_some_and(|window| durable.pending.len() >= window)
        {
            return None;
        }
        let (&offset, message) = topic
            .messages
            .range(durable.next..)
            .next()
            .filter(|(_, next)| fits(next.size()))?;
        durable.next = offset + 1;
        durable.give(offset, owner, now + ack_wait);
        Some(Arc::clone(message))
    }

    /// When the first pending message of this durable comes again.
    pub(in crate::memory) fn due(&self, durable: &str) -> Option<Time> {
        self.durables.get(durable)?.due.first().map(|(due, _)| *due)
    }

    /// Whether this owner still is one.
    pub(in crate::memory) fn owns(&self, durable: &str, owner: u64) -> bool {
        self.durables
            .get(durable)
            .is_some_and(|durable| durable.owners.contains(&owner))
    }

    pub(in crate::memory) fn settle(&mut self, durable: &str, offset: u64) {
        let Some(durable) = self.durables.get_mut(durable) else {
            return;
        };
        durable.take_back(offset);
        let topic = Arc::clone(&durable.topic);
        self.thin(&topic, offset);
    }

    pub(in crate::memory) fn progress(&mut self, now: Time, durable: &str, offset: u64) {
        let due = now + self.limits.ack_wait;
        self.postpone(durable, offset, due);
    }

    pub(in crate::memory) fn pending(&self, durable: &str) -> usize {
        self.durables
            .get(durable)
            .map_or(0, |durable| durable.pending.len())
    }

    pub(in crate::memory) fn set_record(&mut self, durable: &str, record: &Record) {
        if let Some(durable) = self.durables.get_mut(durable) {
            durable.record = Some(record.clone());
        }
    }

    /// An owner is gone. One that closes gives back what it holds at once; what a dead one held comes after ack_wait.
    pub(in crate::memory) fn part(&mut self, now: Time, name: &str, owner: u64, closes: bool) {
        let Some(durable) = self.durables.get_mut(name) else {
            return;
        };
        durable.owners.retain(|other| *other != owner);
        if closes {
            let held: Vec<u64> = durable
                .pending
                .iter()
                .filter(|(_, pending)| pending.owner == owner)
                .map(|(offset, _)| *offset)
                .collect();
            for offset in held {
                self.postpone(name, offset, now);
            }
        }
    }

    /// Nobody owns this durable any more.
    pub(in crate::memory) fn evict(&mut self, name: &str) {
        if let Some(durable) = self.durables.get_mut(name) {
            durable.owners.clear();
        }
    }

    #[cfg(feature = "sim")]
    pub(in crate::memory) fn given(&self, durable: &str) -> Option<(u64, u64)> {
        let durable = self.durables.get(durable)?;
        Some((durable.floor(), durable.next))
    }

    #[cfg(feature = "sim")]
    pub(in crate::memory) fn restore(&mut self, durable: &str, next: u64) {
        let Some(durable) = self.durables.get_mut(durable) else {
            return;
        };
        durable.next = durable.next.min(next);
        for (offset, pending) in durable.pending.split_off(&next) {
            durable.due.remove(&(pending.due, offset));
        }
    }

    /// Forgets a durable. What only that one had not settled goes with it, or, where it was the only one of its topic,
    /// all but what is kept of a topic that nobody reads.
    pub(in crate::memory) fn remove(&mut self, name: &str) {
        let Some(durable) = self.durables.remove(name) else {
            return;
        };
        let Some(topic) = self.topics.get_mut(&durable.topic) else {
            return;
        };
        topic.durables.retain(|other| &**other != name);
        if topic.is_unread() {
            while topic.messages.len() > self.limits.unread {
                self.bytes -= topic.take_oldest();
            }
            return;
        }
        let offsets: Vec<u64> = topic.messages.keys().copied().collect();
        for offset in offsets {
            self.thin(&durable.topic, offset);
        }
    }

    /// Unsettled messages of a durable: given out, and not yet given out. `None`: it was never opened.
    pub(in crate::memory) fn backlog(&self, durable: &str) -> Option<usize> {
        let durable = self.durables.get(durable)?;
        let waiting = self
            .topics
            .get(&durable.topic)
            .map_or(0, |topic| topic.messages.range(durable.next..).count());
        Some(durable.pending.len() + waiting)
    }

    fn postpone(&mut self, durable: &str, offset: u64, due: Time) {
        let Some(durable) = self.durables.get_mut(durable) else {
            return;
        };
        let Some(pending) = durable.pending.get_mut(&offset) else {
            return;
        };
        durable.due.remove(&(pending.due, offset));
        pending.due = due;
        durable.due.insert((due, offset));
    }
}

impl Durable {
    fn floor(&self) -> u64 {
        self.pending.keys().next().copied().unwrap_or(self.next)
    }

    pub(super) fn wants(&self, offset: u64) -> bool {
        offset >= self.next || self.pending.contains_key(&offset)
    }

    fn give(&mut self, offset: u64, owner: u64, due: Time) {
        self.pending.insert(offset, Pending { owner, due });
        self.due.insert((due, offset));
    }

    fn take_back(&mut self, offset: u64) {
        if let Some(pending) = self.pending.remove(&offset) {
            self.due.remove(&(pending.due, offset));
        }
    }
}
