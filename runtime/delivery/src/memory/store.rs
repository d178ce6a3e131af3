//! What the in-memory bus holds, without waiting and without a clock of its own: every call is told the time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::broker::{
    Assignment, Message, Position, Publication, PublishError, Record, SourceEvent, Stored,
    Subscription,
};
use crate::clock::Time;
use crate::wiring::Start;

/// How much an in-memory bus holds, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all messages together; a publication past it is refused with a sentence, and repeated by the engine.
    pub bytes: usize,
    /// Bytes of one message.
    pub message: usize,
    /// Messages kept of a topic that nobody subscribes to and that holds no dead letters: the newest.
    pub unread: usize,
    /// A message that is not settled or reported as in progress for so long comes again.
    pub ack_wait: Duration,
    /// How long a dedup id is remembered.
    pub dedup: Duration,
}

/// Topics, and what each durable has settled of them.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) limits: Limits,
    topics: BTreeMap<Arc<str>, Topic>,
    durables: BTreeMap<Arc<str>, Durable>,
    bytes: usize,
    next_owner: u64,
}

#[derive(Debug, Default)]
struct Topic {
    last: u64,
    messages: BTreeMap<u64, Arc<Message>>,
    /// Never thins out by itself: dead letters.
    kept: bool,
    durables: Vec<Arc<str>>,
    dedup: HashMap<String, u64>,
    dedup_order: VecDeque<(Time, String)>,
}

#[derive(Debug)]
struct Durable {
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

#[derive(Debug)]
struct Pending {
    owner: u64,
    due: Time,
}

impl Default for Limits {
    /// 256 MiB in all, 16 MiB a message, the newest 1,000 of an unread topic; the waits of NATS as the engine sets them
    /// (8 s) and as the server has them by default (2 min).
    fn default() -> Self {
        Self {
            bytes: 256 << 20,
            message: 16 << 20,
            unread: 1_000,
            ack_wait: Duration::from_secs(8),
            dedup: Duration::from_secs(120),
        }
    }
}

impl Store {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Marks a topic as one whose messages stay until somebody takes them out.
    pub(super) fn keep(&mut self, topic: &Arc<str>) {
        self.topics.entry(Arc::clone(topic)).or_default().kept = true;
    }

    pub(super) fn publish(
        &mut self,
        now: Time,
        wall: SystemTime,
        what: &Publication,
    ) -> Result<Stored, PublishError> {
        let limits = &self.limits;
        let topic = self.topics.entry(Arc::clone(&what.topic)).or_default();
        topic.forget_before(now - limits.dedup);
        if let Some(offset) = what.dedup.as_ref().and_then(|id| topic.dedup.get(id)) {
            return Ok(Stored {
                position: position(&what.topic, *offset),
                duplicate: true,
            });
        }
        let message = Message {
            topic: Arc::clone(&what.topic),
            position: position(&what.topic, topic.last + 1),
            time: Some(wall),
            key: what.key.clone(),
            headers: what.headers.clone(),
            body: what.body.clone(),
        };
        let size = message.size();
        if size > limits.message {
            return Err(PublishError::TooLarge(format!(
                "{size} bytes for `{}`, which takes {} at most",
                what.topic, limits.message
            )));
        }
        if topic.durables.is_empty() && !topic.kept && topic.messages.len() >= limits.unread {
            self.bytes -= topic
                .messages
                .pop_first()
                .map_or(0, |(_, oldest)| oldest.size());
        }
        if self.bytes + size > limits.bytes {
            return Err(PublishError::Unavailable(format!(
                "the in-memory bus is full: {} bytes of {} are taken, {} messages in `{}`",
                self.bytes,
                limits.bytes,
                topic.messages.len(),
                what.topic
            )));
        }
        self.bytes += size;
        topic.last += 1;
        topic.messages.insert(topic.last, Arc::new(message));
        if let Some(id) = &what.dedup {
            topic.dedup.insert(id.clone(), topic.last);
            topic.dedup_order.push_back((now, id.clone()));
        }
        Ok(Stored {
            position: position(&what.topic, topic.last),
            duplicate: false,
        })
    }

    /// A new owner of a subscription, and what it begins with; `None` while an ordered one has an owner.
    pub(super) fn open(&mut self, subscription: &Subscription) -> Option<(u64, Assignment)> {
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
    pub(super) fn gap(&mut self, durable: &str) -> Option<SourceEvent> {
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
    pub(super) fn take(
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
    pub(super) fn due(&self, durable: &str) -> Option<Time> {
        self.durables.get(durable)?.due.first().map(|(due, _)| *due)
    }

    /// Whether this owner still is one.
    pub(super) fn owns(&self, durable: &str, owner: u64) -> bool {
        self.durables
            .get(durable)
            .is_some_and(|durable| durable.owners.contains(&owner))
    }

    pub(super) fn settle(&mut self, durable: &str, offset: u64) {
        let Some(durable) = self.durables.get_mut(durable) else {
            return;
        };
        durable.take_back(offset);
        let topic = Arc::clone(&durable.topic);
        self.thin(&topic, offset);
    }

    pub(super) fn progress(&mut self, now: Time, durable: &str, offset: u64) {
        let due = now + self.limits.ack_wait;
        self.postpone(durable, offset, due);
    }

    /// Gives one message back, to come at once.
    pub(super) fn release(&mut self, now: Time, durable: &str, offset: u64) {
        self.postpone(durable, offset, now);
    }

    pub(super) fn pending(&self, durable: &str) -> usize {
        self.durables
            .get(durable)
            .map_or(0, |durable| durable.pending.len())
    }

    pub(super) fn set_record(&mut self, durable: &str, record: &Record) {
        if let Some(durable) = self.durables.get_mut(durable) {
            durable.record = Some(record.clone());
        }
    }

    /// An owner is gone. One that closes gives back what it holds at once; what a dead one held comes after ack_wait.
    pub(super) fn part(&mut self, now: Time, name: &str, owner: u64, closes: bool) {
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
    pub(super) fn evict(&mut self, name: &str) {
        if let Some(durable) = self.durables.get_mut(name) {
            durable.owners.clear();
        }
    }

    /// Forgets a durable and what it held back.
    pub(super) fn remove(&mut self, name: &str) {
        let Some(durable) = self.durables.remove(name) else {
            return;
        };
        if let Some(topic) = self.topics.get_mut(&durable.topic) {
            topic.durables.retain(|other| &**other != name);
        }
    }

    /// The messages of a topic, oldest first.
    pub(super) fn messages(&self, topic: &str) -> Vec<Arc<Message>> {
        self.topics
            .get(topic)
            .map(|topic| topic.messages.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Takes one message out of a topic, whoever still waits for it.
    pub(super) fn delete(&mut self, topic: &str, offset: u64) -> bool {
        let removed = self
            .topics
            .get_mut(topic)
            .and_then(|topic| topic.messages.remove(&offset));
        self.bytes -= removed.as_ref().map_or(0, |message| message.size());
        removed.is_some()
    }

    /// Name, messages held, and messages ever stored of each topic.
    pub(super) fn topics(&self) -> Vec<(Arc<str>, usize, u64)> {
        self.topics
            .iter()
            .map(|(name, topic)| (Arc::clone(name), topic.messages.len(), topic.last))
            .collect()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has(&self, durable: &str) -> bool {
        self.durables.contains_key(durable)
    }

    /// Unsettled messages of a durable: given out, and not yet given out.
    pub(super) fn backlog(&self, durable: &str) -> usize {
        let Some(durable) = self.durables.get(durable) else {
            return 0;
        };
        let waiting = self
            .topics
            .get(&durable.topic)
            .map_or(0, |topic| topic.messages.range(durable.next..).count());
        durable.pending.len() + waiting
    }

    /// The durables of a topic, which want to know of a new message.
    pub(super) fn durables_of(&self, topic: &str) -> &[Arc<str>] {
        self.topics.get(topic).map_or(&[], |topic| &topic.durables)
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

    /// Drops a message that every durable of its topic has settled.
    fn thin(&mut self, topic: &str, offset: u64) {
        let Some(held) = self.topics.get_mut(topic) else {
            return;
        };
        let wanted = |name: &Arc<str>| {
            self.durables
                .get(name)
                .is_some_and(|durable| durable.wants(offset))
        };
        if held.kept || held.durables.iter().any(wanted) {
            return;
        }
        self.bytes -= held
            .messages
            .remove(&offset)
            .map_or(0, |message| message.size());
    }
}

impl Topic {
    fn forget_before(&mut self, oldest: Time) {
        while self.dedup_order.front().is_some_and(|(at, _)| *at < oldest) {
            if let Some((_, id)) = self.dedup_order.pop_front() {
                self.dedup.remove(&id);
            }
        }
    }

    fn starting_at(&self, start: Start) -> u64 {
        match start {
            Start::Oldest => self
                .messages
                .keys()
                .next()
                .copied()
                .unwrap_or(self.last + 1),
            Start::New => self.last + 1,
            Start::At(moment) => self
                .messages
                .iter()
                .find(|(_, message)| message.time.is_some_and(|time| time >= moment))
                .map_or(self.last + 1, |(offset, _)| *offset),
        }
    }
}

impl Durable {
    fn floor(&self) -> u64 {
        self.pending.keys().next().copied().unwrap_or(self.next)
    }

    fn wants(&self, offset: u64) -> bool {
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

fn position(topic: &Arc<str>, offset: u64) -> Position {
    Position {
        log: Arc::clone(topic),
        offset,
    }
}
