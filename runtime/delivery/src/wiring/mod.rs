//! How a function is wired to topics: the annotations of `stack.yml` as types, and every name derived from them.
//!
//! Runner, connectors, operator and the doors inside a function all read the same annotations through here. Nobody else
//! spells a durable, a group, a dead-letter topic or the name of an environment variable.

mod annotations;
mod error;
mod names;
mod parse;
mod replies;
mod retry;
mod topic;
mod write;

use std::fmt;
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::timestamp;

pub use annotations::{Annotation, BUS, KNOWN, Misspelt, START, environment_name, misspelt};
pub use error::WiringError;
pub use names::{
    GROUP_PREFIX, LAG, dead_letter_topic, durable, group, group_of, lag_query, owner_of_durable,
    owner_of_group, stream,
};
pub use replies::{ReplyTopic, ReplyTopics};
pub use retry::{Codes, RetryPolicy};
pub use topic::{covers, publishable};

use crate::filter::Filter;

/// One function on its topics.
#[derive(Debug, Clone, PartialEq)]
pub struct Wiring {
    /// The function's name, without its namespace.
    pub function: String,
    /// Its namespace (`openfaas-fn` where nothing else is said).
    pub namespace: String,
    /// `topic`: what it consumes, at least one, each once, in the order written.
    pub topics: Vec<String>,
    /// `events.broker`: `None` is whichever connector runs.
    pub broker: Option<Broker>,
    /// `events.door`: it takes its events from that broker itself, and connectors leave it alone.
    pub door: bool,
    /// `events.reply-topic`: where its replies go.
    pub replies: ReplyTopics,
    /// `events.dead-letter-topic`, or the topic made from its name: what it refuses or fails for good goes here.
    pub dead_letters: String,
    /// `events.filter`: which events it wants; the others are settled without a call.
    pub filter: Option<Filter>,
    /// `events.order`.
    pub order: Order,
    /// `events.start`: where to begin when its durable or group is first made.
    pub start: Start,
    /// `events.concurrency`: calls in flight at once, per subscription. At least 1.
    pub concurrency: usize,
    /// `events.window`: inputs held at once, per subscription. At least 1.
    pub window: usize,
    /// `events.batch-size`: events in one call. 1 is one by one.
    pub batch_size: usize,
    /// `events.batch-linger`: how long the first event of a batch waits for others.
    pub batch_linger: Duration,
    /// `events.max-hops`: a reply whose `hopcount` would pass this is a dead letter.
    pub max_hops: u32,
    /// `events.format`: how events are written, to the function and to the broker.
    pub format: Format,
    /// `events.transactions`: its replies and the place of the event that they answer are one transaction (Kafka).
    pub transactions: bool,
    /// `com.openfaas.retry.*`.
    pub retry: RetryPolicy,
}

/// A broker that a function can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broker {
    /// NATS JetStream.
    Nats,
    /// Kafka.
    Kafka,
}

/// In which order events are given to the function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The events of one key one after the other, keys side by side.
    #[default]
    Key,
    /// Side by side.
    None,
}

/// Where a subscription begins when its durable or group is first made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// With the oldest message that is left.
    #[default]
    Oldest,
    /// With what is published from now on.
    New,
    /// With the first message stored at this time or later.
    At(SystemTime),
}

/// How a CloudEvent is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Attributes in headers, data in the body.
    #[default]
    Binary,
    /// One JSON document.
    Structured,
}

/// As a sentence goes on after "begins with".
impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oldest => f.write_str("the oldest event"),
            Self::New => f.write_str("what is published from now on"),
            Self::At(time) => write!(f, "what came since {}", timestamp::format(*time)),
        }
    }
}

impl Wiring {
    /// The default of `events.concurrency`.
    pub const CONCURRENCY: usize = 64;
    /// The default of `events.window`.
    pub const WINDOW: usize = 1_000;
    /// The default of `events.max-hops`.
    pub const MAX_HOPS: u32 = crate::reply::HOP_LIMIT;

    /// A function on these topics, with the default of every other annotation.
    pub fn new<T: Into<String>>(
        function: &str,
        namespace: &str,
        topics: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            function: function.to_owned(),
            namespace: namespace.to_owned(),
            topics: topics.into_iter().map(Into::into).collect(),
            broker: None,
            door: false,
            replies: ReplyTopics::default(),
            dead_letters: dead_letter_topic(namespace, function),
            filter: None,
            order: Order::default(),
            start: Start::default(),
            concurrency: Self::CONCURRENCY,
            window: Self::WINDOW,
            batch_size: 1,
            batch_linger: Duration::ZERO,
            max_hops: Self::MAX_HOPS,
            format: Format::default(),
            transactions: false,
            retry: RetryPolicy::default(),
        }
    }

    /// Its Kafka consumer group, one for all its topics.
    pub fn group(&self) -> String {
        group(&self.namespace, &self.function)
    }

    /// Its NATS durable on one of its topics.
    pub fn durable(&self, topic: &str) -> String {
        durable(&self.namespace, &self.function, topic)
    }

    /// Where its dead letters go.
    pub fn dead_letter_topic(&self) -> &str {
        &self.dead_letters
    }
}
