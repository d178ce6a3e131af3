//! An event that is held.

use std::collections::VecDeque;
use std::sync::Arc;

use openfaas_cloudevents::Event;

use super::CallId;
use super::lanes::LaneId;
use crate::broker::{Message, Publication};
use crate::clock::Time;

/// Events of one owner, in the order they came.
pub(crate) type Id = u64;

/// An input that is not settled.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) subscription: usize,
    pub(super) log: usize,
    pub(super) message: Arc<Message>,
    /// `None`: it calls itself one and is none.
    pub(super) event: Option<Arc<Event>>,
    /// What it takes of the body budget.
    pub(super) size: usize,
    /// `None`: it waits for nobody and nobody for it.
    pub(super) lane: Option<LaneId>,
    /// It may share a batch with others of its lane: their order key is their `partitionkey`.
    pub(super) shares: bool,
    /// Answers and lone deaths that count.
    pub(super) attempts: u32,
    /// Calls it was in.
    pub(super) calls: u32,
    /// When it was received or last tried: who waits longest is next.
    pub(super) touched: Time,
    /// The most events it may share a call with, itself included; halves when such a call fails as a whole.
    pub(super) company: usize,
    pub(super) suspect: bool,
    /// It waits for a retry.
    pub(super) resting: bool,
    /// The last answer or end of a call, in words.
    pub(super) last: String,
    pub(super) phase: Phase,
}

/// Where an event stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// It can be called once this is past and it is its lane's turn.
    Waiting(Time),
    /// A suspect's attempt is being written down before it starts.
    Recording,
    /// It is in this call.
    Calling(CallId),
    /// It has its verdict; what follows from it is stored when it is its lane's turn, and then it is settled.
    Finishing(Finish),
}

/// What is left to do before an event is settled, and settling it.
#[derive(Debug, Default)]
pub(super) struct Finish {
    pub(super) replies: VecDeque<Reply>,
    pub(super) letter: Option<Letter>,
    /// An operation is under way.
    pub(super) busy: bool,
    /// Times that the operation at the front failed in a row.
    pub(super) failures: u32,
    /// It is not tried before.
    pub(super) until: Time,
    /// Settled without a call: a filter, or a redrive for somebody else.
    pub(super) filtered: bool,
}

/// A reply to be stored.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) event: Event,
    pub(super) publication: Publication,
}

/// A dead letter to be stored.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) publication: Publication,
    pub(super) reason: String,
    /// Without its notes, because it was too large with them.
    pub(super) bare: bool,
}

impl Held {
    /// Whether something is being stored or settled for it, or was asked for without an answer: it may be settled already.
    pub(super) fn is_settling(&self) -> bool {
        matches!(&self.phase, Phase::Finishing(finish) if finish.busy || finish.failures > 0)
    }

    /// Whether it can be called now, if it is its turn.
    pub(super) fn is_due(&self, now: Time) -> bool {
        matches!(self.phase, Phase::Waiting(until) if until <= now)
    }
}
