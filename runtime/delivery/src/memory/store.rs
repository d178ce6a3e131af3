//! What the in-memory bus holds, without waiting and without a clock of its own: every call is told the time.

mod durable;
mod room;
mod topic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::durable::Durable;
pub(super) use self::room::Room;
use self::topic::Topic;
use crate::broker::Message;

/// How much an in-memory bus holds, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all messages together; a publication past it is refused with a sentence, and repeated by the engine.
    /// Publishers from outside are refused from three quarters of it on: the rest is for what deliveries store.
    pub bytes: usize,
    /// Bytes of one message.
    pub message: usize,
    /// Messages kept of a topic that nobody subscribes to and that holds no dead letters: the newest. Fewer when their
    /// room is needed.
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

    /// The topics whose messages stay until somebody takes them out.
    pub(super) fn kept(&self) -> Vec<Arc<str>> {
        let kept = self.topics.iter().filter(|(_, topic)| topic.kept);
        kept.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// The messages of a topic, oldest first.
    pub(super) fn messages(&self, topic: &str) -> Vec<Arc<Message>> {
        self.topics
            .get(topic)
            .map(|topic| topic.messages.values().cloned().collect())
            .unwrap_or_default()
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
}
