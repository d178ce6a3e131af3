//! What the engine asks of a broker: memory, NATS JetStream and Kafka each implement these two traits.
//!
//! A [`Broker`] stores publications and opens subscriptions. A [`Source`] is one open subscription, held by one owner.
//! Both know nothing of attempts, lanes or waits: they carry what the engine decides.

mod decoded;
mod demand;
mod error;
mod inspect;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use openfaas_cloudevents::Event;

pub use self::demand::{Count, Demand};
pub use self::error::{FinishError, OpenError, PublishError, SourceError};
pub use self::inspect::Inspect;
use crate::wiring::{Format, Start, Wiring};

/// Where a message lies: an ordered log, and its place in it. A NATS stream and its sequence, a Kafka partition
/// (`orders/3`) and its offset, a topic of the in-memory bus and its count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The log, unique within its broker.
    pub log: Arc<str>,
    /// The place in the log; grows with every message, not always by one.
    pub offset: u64,
}

/// One header. A Kafka header may have no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// As on the wire, case kept.
    pub name: String,
    /// Its bytes.
    pub value: Option<Bytes>,
}

/// A message as a broker gave it: nothing of it has been touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic or subject it was published to.
    pub topic: Arc<str>,
    /// Where it lies.
    pub position: Position,
    /// When the broker stored it, where the broker says so.
    pub time: Option<SystemTime>,
    /// Its record key (Kafka).
    pub key: Option<Bytes>,
    /// In their order.
    pub headers: Vec<Header>,
    /// `None` is a Kafka tombstone.
    pub body: Option<Bytes>,
}

/// What a message turned out to be, by the event format of its broker.
#[derive(Debug)]
pub enum Decoded {
    /// A CloudEvent, or what became one because it never claimed to be.
    Event(Event),
    /// It calls itself a CloudEvent and is none: a dead letter with this reason.
    Broken(String),
}

/// What is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where to.
    pub topic: Arc<str>,
    /// What makes a repetition of this very publication known to the broker (`Nats-Msg-Id`). Made by
    /// [`crate::ids`] alone: anything less lets a broker swallow a letter as a duplicate.
    pub dedup: Option<String>,
    /// The record key, which picks the Kafka partition.
    pub key: Option<Bytes>,
    /// In their order.
    pub headers: Vec<Header>,
    /// `None` is a Kafka tombstone.
    pub body: Option<Bytes>,
}

/// A publication is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub position: Position,
    /// The broker knew its dedup id already and stored nothing new.
    pub duplicate: bool,
}

/// What a topic is to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Replies go there.
    Reply,
    /// Dead letters go there; nothing takes them out but a person.
    DeadLetter,
}

/// One function on one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic or subject.
    pub topic: Arc<str>,
    /// The name under which the broker keeps what is settled: NATS durable, Kafka group.
    pub durable: Arc<str>,
    /// Where to begin when that name is first made.
    pub start: Start,
    /// One owner at a time, which is what order per key needs.
    pub ordered: bool,
    /// At most so many unsettled messages at once (`max_ack_pending`); `None`: no limit at the broker.
    pub window: Option<usize>,
    /// Replies are stored with [`Source::finish`].
    pub transactions: bool,
}

/// What one owner leaves at the broker for the next one. Kept in the commit's metadata on Kafka, in a key-value record
/// on NATS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// It has not ended, or ended without a drain.
    pub open: bool,
    /// The first position that was not settled when it began.
    pub floor: u64,
    /// How many owners ended without a drain with that same floor.
    pub unclean: u32,
    /// Suspects and the attempts charged to them, in the order of their offsets.
    pub suspects: Vec<(u64, u32)>,
}

/// A log is this owner's from here on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The log.
    pub log: Arc<str>,
    /// The first offset that is not settled.
    pub floor: u64,
    /// Everything up to here, this included, may have been given to an owner before. `None`: nothing is pending.
    pub delivered: Option<u64>,
    /// New messages may come before those that are pending (NATS): the engine takes the pending ones first. Otherwise
    /// the log comes in its order (Kafka).
    pub shuffled: bool,
    /// What the last owner left.
    pub record: Option<Record>,
    /// The durable or group was made just now; so many messages were waiting for it.
    pub created: Option<u64>,
}

/// What comes out of an open subscription.
#[derive(Debug)]
pub enum SourceEvent {
    /// A log is ours from here on; comes before its first message.
    Assigned(Assignment),
    /// A message; it is not settled until [`Source::settle`] has said so.
    Message(Message),
    /// Retention removed `count` messages that this subscription has never seen.
    Gap {
        /// Of this log.
        log: Arc<str>,
        /// So many.
        count: u64,
    },
    /// The log goes to another owner (rebalance): finish what runs, start nothing, then [`Source::leave`].
    Revoking {
        /// This one.
        log: Arc<str>,
    },
    /// What was held may be given to somebody else from now on, but calls that run may still be settled (a reconnect, a
    /// gap in the consumer's sequence): finish what runs, let go of the rest, close, open again.
    Interrupted(String),
    /// The subscription is somebody else's already (a lease not renewed): let go of everything, settle nothing, open again.
    Lost(String),
}

/// How events stand in the messages of a broker.
pub trait Codec: Send + Sync + 'static {
    /// Reads a message; one that never claimed to be a CloudEvent is wrapped.
    fn decode(&self, message: &Message) -> Decoded;

    /// Writes an event for `topic`, without a dedup id.
    ///
    /// # Errors
    /// Why this event can never be a message: a failed check of a reply.
    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String>;

    /// What a call with this message alone says of it beside its event: headers that functions know from OpenFaaS's own
    /// connector for this broker.
    fn headers(&self, _: &Message) -> HeaderMap {
        HeaderMap::new()
    }
}

/// What an owner can ask of a broker.
pub trait Broker: Codec {
    /// An open subscription.
    type Source: Source;

    /// The name under which this broker keeps what a function has settled of a topic.
    fn durable(&self, wiring: &Wiring, topic: &str) -> String {
        wiring.durable(topic)
    }

    /// Whether replies and the place of their input can be stored in one step.
    fn transactional(&self) -> bool {
        false
    }

    /// Opens a subscription; waits while another owner of an ordered one is alive.
    ///
    /// # Errors
    /// Whatever must be put right before messages can come.
    fn open(
        &self,
        subscription: &Subscription,
    ) -> impl Future<Output = Result<Self::Source, OpenError>> + Send;

    /// Whether a topic can be stored to: asked before the first event is taken, and every 30 s while it cannot.
    ///
    /// # Errors
    /// One sentence that names the topic and the command that makes it.
    fn check(
        &self,
        topic: &Arc<str>,
        purpose: Purpose,
    ) -> impl Future<Output = Result<(), OpenError>> + Send;

    /// Stores a publication. Done only when the broker has said so.
    ///
    /// # Errors
    /// Whether it may be tried again or never will be taken.
    fn publish(
        &self,
        publication: &Publication,
    ) -> impl Future<Output = Result<Stored, PublishError>> + Send;
}

/// One open subscription, held by one owner.
pub trait Source: Send + Sync + 'static {
    /// What comes next. Called by one task; a dropped call loses nothing.
    fn next(&self) -> impl Future<Output = SourceEvent> + Send;

    /// What may come from now on (a pull, a resume, a pause with nothing); replaces what was said before.
    fn demand(&self, demand: Demand);

    /// Tells the broker that this message is done. Returns once the broker will not give it again, or, where a broker
    /// keeps only a prefix, once it is noted for the next commit.
    ///
    /// # Errors
    /// It may or may not be settled.
    fn settle(&self, position: &Position) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Stores these replies and tells the broker that their input is done, both or neither. Asked only where the
    /// subscription is one with transactions.
    ///
    /// # Errors
    /// Nothing of it is stored; or nobody knows, and then this owner holds it no more.
    fn finish(
        &self,
        _: &Position,
        _: &[Publication],
    ) -> impl Future<Output = Result<(), FinishError>> + Send {
        async { Err(FinishError::Unavailable("no transactions here".into())) }
    }

    /// How often a message that is held must be reported as in progress, so that it does not come again.
    fn progress_every(&self) -> Option<Duration>;

    /// Reports these messages as in progress. Best effort.
    fn progress(&self, positions: &[Position]) -> impl Future<Output = ()> + Send;

    /// How many messages of this log are given out and not settled, those of earlier owners included.
    ///
    /// # Errors
    /// The broker did not say.
    fn pending(&self, log: &str) -> impl Future<Output = Result<usize, SourceError>> + Send;

    /// How many messages are not settled: those that are given out, to whomever, and those that nobody was given yet. Where
    /// owners share a subscription by its logs, those of the logs that are this owner's.
    ///
    /// # Errors
    /// The broker did not say.
    fn lag(&self) -> impl Future<Output = Result<u64, SourceError>> + Send;

    /// Leaves a record for the next owner; done only when it is stored.
    ///
    /// # Errors
    /// It may or may not be stored.
    fn record(
        &self,
        log: &str,
        record: &Record,
    ) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// The log that was [`SourceEvent::Revoking`] can go: nothing of it is in flight any more.
    fn leave(&self, log: &str);

    /// Gives back everything unsettled, without delay, and ends; every later call is [`SourceError::Lost`].
    fn close(&self) -> impl Future<Output = ()> + Send;
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.log, self.offset)
    }
}

impl Header {
    /// A header with a value.
    pub fn new(name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            value: Some(value.into()),
        }
    }

    /// The value as text; `None` where it has none or it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.value.as_deref()?).ok()
    }
}

impl Message {
    /// The value of the first header of this name, case ignored.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))?
            .text()
    }

    /// The size that counts against the body budget: body, key and headers.
    pub fn size(&self) -> usize {
        size(&self.headers, self.key.as_ref(), self.body.as_ref())
    }
}

impl Publication {
    /// The [size](Message::size) of the message that it becomes.
    pub fn size(&self) -> usize {
        size(&self.headers, self.key.as_ref(), self.body.as_ref())
    }
}

fn size(headers: &[Header], key: Option<&Bytes>, body: Option<&Bytes>) -> usize {
    let header = |header: &Header| header.name.len() + header.value.as_ref().map_or(0, Bytes::len);
    headers.iter().map(header).sum::<usize>()
        + key.map_or(0, Bytes::len)
        + body.map_or(0, Bytes::len)
}
