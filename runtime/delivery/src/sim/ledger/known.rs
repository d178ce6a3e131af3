//! What is known of an event, and of an owner.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Serial;
use crate::broker::Message;
use crate::clock::Time;

/// What became of one event.
#[derive(Debug, Default, Clone)]
pub(in crate::sim) struct Fate {
    pub(in crate::sim) original: Option<Arc<Message>>,
    pub(in crate::sim) gone: bool,
    /// Its owner has settled it; where a broker keeps a prefix it may come again until that has passed it.
    pub(in crate::sim) finished: bool,
    /// The broker will not give it again.
    pub(in crate::sim) settled: bool,
    pub(in crate::sim) letters: u32,
    /// Calls that reached the function with it.
    pub(in crate::sim) tries: u32,
    /// The replies of each answer that said it is done.
    pub(in crate::sim) done: Vec<Answered>,
    /// It was rejected, or an answer had a reply that may not go out.
    pub(in crate::sim) condemned: bool,
    /// Times that it killed its function.
    pub(in crate::sim) kills: u32,
    /// Answers that cost it an attempt, whoever heard them.
    pub(in crate::sim) charges: u32,
    /// Times that something else than it ended a call in which it was alone because it was a suspect.
    pub(in crate::sim) accidents: u32,
}

/// Replies of one answer.
#[derive(Debug, Default, Clone)]
pub(in crate::sim) struct Answered {
    pub(in crate::sim) replies: Vec<String>,
    /// One of them may not go out, so none may; the broker itself may find that late.
    pub(in crate::sim) bad: Option<Bad>,
}

/// When a bad reply is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Bad {
    /// Before any is published.
    AtCheck,
    /// By the broker.
    AtBroker,
}

/// What an answer said of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sim) enum Given {
    Done,
    Rejected,
    /// Again, after at least and at most this.
    Retry(Option<(Duration, Duration)>),
    /// Nothing; the batch that it was in failed as a whole, and is to come again like that.
    Whole(Option<(Duration, Duration)>),
}

/// What is known of one run of an engine.
#[derive(Debug, Default)]
pub(in crate::sim) struct Watched {
    pub(in crate::sim) held: BTreeMap<Serial, usize>,
    pub(in crate::sim) in_flight: BTreeMap<Serial, usize>,
    pub(in crate::sim) suspects: BTreeSet<Serial>,
    /// Answers that count.
    pub(in crate::sim) attempts: BTreeMap<Serial, u32>,
    /// Deaths while it ran alone as a suspect.
    pub(in crate::sim) deaths: BTreeMap<Serial, u32>,
    pub(in crate::sim) given: BTreeMap<Serial, Given>,
    /// Not before, and set at.
    pub(in crate::sim) waits: BTreeMap<Serial, (Time, Time)>,
    /// It answered that it is done with these.
    pub(in crate::sim) done: BTreeSet<Serial>,
    /// By topic.
    pub(in crate::sim) lines: BTreeMap<String, Line>,
    /// Logs that go to another owner, and since when it knows.
    pub(in crate::sim) revoked: BTreeMap<Arc<str>, Time>,
    /// It stood still for a while, and could report nothing.
    pub(in crate::sim) paused: bool,
}

/// What is known of one of its subscriptions.
#[derive(Debug, Default)]
pub(in crate::sim) struct Line {
    /// The last answers: whose, and whether they were retries.
    pub(in crate::sim) answers: VecDeque<(Serial, bool)>,
    pub(in crate::sim) sick_since: Option<Time>,
    /// What was pending when it began; it holds that on top of its limits.
    pub(in crate::sim) inherited: usize,
}
