//! One function on one topic, as its owner sees it.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::event::Id;
use crate::broker::{Count, Demand, Record};
use crate::clock::Time;
use crate::wiring::{Order, Wiring};

/// So many answers in a row, of at least two events, all of them retries, make a function sick.
pub(super) const SICK_AFTER: usize = 20;

/// The state of one subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: Arc<str>,
    pub(super) ordered: bool,
    pub(super) phase: Phase,
    pub(super) mode: Mode,
    /// Lane heads that can be called, who waits longest first.
    pub(super) ready: BTreeSet<(Time, Id)>,
    /// Inputs held, and their bytes.
    pub(super) held: usize,
    pub(super) bytes: usize,
    /// Those of them that wait for a retry.
    pub(super) resting: usize,
    /// What came since it was opened.
    pub(super) came: Count,
    /// What its source was told last.
    pub(super) allowed: Demand,
    /// How often what is held is reported as in progress.
    pub(super) progress: Option<Duration>,
    /// Calls in flight.
    pub(super) calls: usize,
    /// Calls at once for now: grows by one with each answer, falls to what ran when the function was down or full.
    pub(super) limit: usize,
    /// Events in a call for now.
    pub(super) batch: usize,
    /// A batch that is not full, and waits.
    gathering: Option<Gathering>,
    /// Its image does not know batches.
    pub(super) one_by_one: bool,
    /// The events of the last answers, as long as all of them were retries.
    pub(super) retried: VecDeque<Id>,
    /// What was settled last, to know it when it comes again.
    pub(super) settled: Recent,
}

/// A batch that waits for its linger, or to be full.
#[derive(Debug)]
struct Gathering {
    /// What it may hold.
    most: usize,
    /// It may be full once so many messages came.
    came: u64,
    until: Time,
}

/// Whether events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is being opened.
    Opening,
    /// They come.
    Open,
    /// What runs is finished; then it is closed.
    Leaving,
    /// It is being closed.
    Closing,
    /// It is closed for good.
    Closed,
}

/// How its function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It answers.
    Up,
    /// It did not answer, or said that it is full.
    Down(Probe),
    /// All it says is to try again.
    Sick {
        /// One event at a time.
        probe: Probe,
        /// It is treated as well again then.
        until: Time,
    },
}

/// One call per back-off step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    /// The next is not before this.
    pub(super) at: Time,
    /// Somebody named that moment; otherwise it was drawn.
    pub(super) asked: bool,
    /// Steps so far.
    pub(super) step: u32,
    /// One is in flight.
    pub(super) running: bool,
}

/// A log that this owner holds.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) subscription: usize,
    pub(super) name: Arc<str>,
    pub(super) phase: LogPhase,
    pub(super) held: usize,
    /// Settles begun, since it was assigned.
    pub(super) settles: u64,
    /// Messages of an earlier owner that come first.
    pub(super) handover: Option<Handover>,
    /// What a door leaves for the next owner.
    pub(super) record: Record,
    /// The record is stored as it stands here, being stored, or not asked to be.
    pub(super) writing: Writing,
    /// Everything up to here was pending when the last owner ended uncleanly for the second time: suspects.
    pub(super) suspect_up_to: Option<u64>,
}

/// Whether a log is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogPhase {
    /// Yes.
    Held,
    /// What runs is finished.
    Leaving,
    /// No more.
    Gone,
}

/// The state of a record at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// It is there, or nobody needs it.
    Done,
    /// It has to be written: so many tries failed.
    Wanted(u32),
    /// It is being written; changed since then, it has to be written again.
    Running(u32),
}

/// Messages of an earlier owner that are to come before anything newer starts.
#[derive(Debug)]
pub(super) struct Handover {
    /// All of them are at or before this.
    pub(super) up_to: u64,
    /// They are all here.
    pub(super) complete: bool,
    /// Newer ones that did not fit and were let go: nothing after them starts before they are back.
    pub(super) let_go: BTreeSet<u64>,
    /// The broker is being asked how many are out; this is what was known when it was.
    pub(super) asking: Option<Asked>,
}

/// What was known of a log when the broker was asked how many of its messages are out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) held: usize,
    pub(super) let_go: usize,
    /// Settles begun in this log so far.
    pub(super) settles: u64,
}

/// Offsets settled last, a bounded number of them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: HashSet<(usize, u64)>,
    order: VecDeque<(usize, u64)>,
    most: usize,
}

impl Subscription {
    pub(super) fn new(wiring: &Wiring, topic: &str) -> Self {
        Self {
            topic: Arc::from(topic),
            ordered: wiring.order == Order::Key,
            phase: Phase::Opening,
            mode: Mode::Up,
            ready: BTreeSet::new(),
            held: 0,
            bytes: 0,
            resting: 0,
            came: Count::default(),
            allowed: Demand::default(),
            progress: None,
            calls: 0,
            limit: wiring.concurrency,
            batch: wiring.batch_size,
            gathering: None,
            one_by_one: false,
            retried: VecDeque::new(),
            settled: Recent {
                most: wiring.window.max(1_000),
                ..Recent::default()
            },
        }
    }

    /// A lane's head can be called.
    pub(super) fn line_up(&mut self, place: (Time, Id), now: Time) {
        self.ready.insert(place);
        // Who has been here for longer may bring others, and says until when they wait.
        if place.0 < now {
            self.gathering = None;
        }
    }

    /// A batch of at most so many has so many, and waits for others until then.
    pub(super) fn gather(&mut self, most: usize, has: usize, until: Time) {
        self.gathering = Some(Gathering {
            most,
            came: self.came.messages + (most - has) as u64,
            until,
        });
    }

    /// Whether it still does: what is ready need not be looked through at each message that comes.
    pub(super) fn gathers(&self, most: usize, now: Time) -> bool {
        self.gathering.as_ref().is_some_and(|batch| {
            batch.most == most && self.came.messages < batch.came && now < batch.until
        })
    }
}

impl Mode {
    /// A probe starts or has ended.
    pub(super) fn probing(&mut self, now: bool) {
        if let Self::Down(probe) | Self::Sick { probe, .. } = self {
            probe.running = now;
        }
    }

    /// The function itself says that it is there: its next probe waits for nothing but a moment that was named, and the
    /// steps begin anew. What makes a function sick is not known to its health check.
    pub(super) fn healthy(&mut self, now: Time) {
        if let Self::Down(probe) = self {
            probe.step = 0;
            if !probe.asked {
                probe.at = probe.at.min(now);
            }
        }
    }
}

impl Probe {
    /// The first of a row.
    pub(super) fn first(at: Time, asked: bool) -> Self {
        Self {
            at,
            asked,
            step: 0,
            running: false,
        }
    }
}

impl Log {
    /// It is ours no more, and nothing of it is asked for.
    pub(super) fn gone(&mut self) {
        self.phase = LogPhase::Gone;
        self.writing = Writing::Done;
        self.handover = None;
    }

    /// Whether all of an earlier owner's messages are here.
    pub(super) fn is_complete(&self) -> bool {
        self.handover
            .as_ref()
            .is_none_or(|handover| handover.complete)
    }

    /// Whether an event at this offset may start now.
    pub(super) fn may_start(&self, offset: u64) -> bool {
        if self.phase != LogPhase::Held || self.writing != Writing::Done {
            return false;
        }
        match &self.handover {
            None => true,
            Some(handover) => {
                handover.complete && handover.let_go.first().is_none_or(|first| offset < *first)
            }
        }
    }
}

impl Recent {
    pub(super) fn add(&mut self, at: (usize, u64)) {
        if self.known.insert(at) {
            self.order.push_back(at);
        }
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, at: (usize, u64)) -> bool {
        self.known.contains(&at)
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.order.clear();
    }
}
