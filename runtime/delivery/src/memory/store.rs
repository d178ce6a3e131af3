//! What the in-memory bus holds, without waiting and without a clock of its own: every call is told the time.

mod durable;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use self::durable::Durable;
use self::topic::Topic;
use crate::broker::{Message, Position, Publication, PublishError, Stored};
use crate::clock::Time;

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

    /// The durables of a topic, which want to know of a new message.
    pub(super) fn durables_of(&self, topic: &str) -> &[Arc<str>] {
        self.topics.get(topic).map_or(&[], |topic| &topic.durables)
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

fn position(topic: &Arc<str>, offset: u64) -> Position {
    Position {
        log: Arc::clone(topic),
        offset,
    }
}
