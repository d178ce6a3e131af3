//! Lanes: the events of one key, one after the other.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::event::Id;

pub(super) type LaneId = u64;

/// What orders events: a key of a subscription.
pub(super) type Key = (usize, Box<[u8]>);

/// Every lane that has an event.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Only ever looked up, never walked: its order is not the same twice.
    by_key: HashMap<Key, LaneId>,
    lanes: BTreeMap<LaneId, Lane>,
    next: LaneId,
}

#[derive(Debug)]
struct Lane {
    key: Option<Key>,
    queue: VecDeque<Id>,
}

impl Lanes {
    /// The lane of a key; without one, a lane of its own.
    pub(super) fn of(&mut self, key: Option<Key>) -> LaneId {
        if let Some(lane) = key.as_ref().and_then(|key| self.by_key.get(key)) {
            return *lane;
        }
        self.next += 1;
        if let Some(key) = &key {
            self.by_key.insert(key.clone(), self.next);
        }
        self.lanes.insert(
            self.next,
            Lane {
                key,
                queue: VecDeque::new(),
            },
        );
        self.next
    }

    /// Puts an event before the first that `follows` it, from the end on.
    pub(super) fn insert(&mut self, lane: LaneId, id: Id, follows: impl Fn(Id) -> bool) {
        let Some(lane) = self.lanes.get_mut(&lane) else {
            return;
        };
        let later = lane
            .queue
            .iter()
            .rev()
            .take_while(|other| follows(**other))
            .count();
        lane.queue.insert(lane.queue.len() - later, id);
    }

    pub(super) fn head(&self, lane: LaneId) -> Option<Id> {
        self.lanes.get(&lane)?.queue.front().copied()
    }

    /// The events of a lane, in order.
    pub(super) fn queue(&self, lane: LaneId) -> impl Iterator<Item = Id> {
        self.lanes
            .get(&lane)
            .into_iter()
            .flat_map(|lane| lane.queue.iter().copied())
    }

    /// Takes an event out; a lane without any is forgotten.
    pub(super) fn remove(&mut self, lane: LaneId, id: Id) {
        let Some(held) = self.lanes.get_mut(&lane) else {
            return;
        };
        if held.queue.front() == Some(&id) {
            held.queue.pop_front();
        } else {
            held.queue.retain(|other| *other != id);
        }
        if held.queue.is_empty()
            && let Some(key) = self.lanes.remove(&lane).and_then(|lane| lane.key)
        {
            self.by_key.remove(&key);
        }
    }
}
