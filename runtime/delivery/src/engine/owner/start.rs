//! What starts next.

use std::sync::Arc;

use super::event::{Held, Id, Phase};
use super::subscription::{Log, LogPhase, Mode, Phase as Open, Probe, Writing};
use super::{Output, Owner, Running, Timer};
use crate::call::{Call, Payload};
use crate::engine::mistake::Mistake;
use crate::observe::{State, What};

/// Bytes of the bodies in one batch: what a function reads by default (`max_body`), with room for JSON.
const BATCH_BYTES: usize = 4 << 20;

/// After so long a sick function is treated as well again.
const SICK_FOR: std::time::Duration = std::time::Duration::from_secs(3600);

/// What a subscription may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing.
    Shut,
    /// One event alone, to see whether the function answers.
    Probe,
    /// As many calls as its limit allows.
    Open,
}

impl Owner {
    /// Starts what may be started.
    pub(super) fn start(&mut self) {
        if self.draining || self.suspects.running.is_some() || self.is_recording() {
            return;
        }
        if !self.suspects.well {
            return self.ask_health();
        }
        if let Some(id) = self.next_suspect() {
            if self.suspects.at > self.now {
                self.wake(self.suspects.at, Timer::Start);
            } else if self.settings.planted.is(Mistake::SuspectsTogether) {
                self.begin(vec![id], false, true);
                return;
            } else {
                if self.calls.is_empty() {
                    self.begin_suspect(id);
                }
                return;
            }
        }
        for index in 0..self.subscriptions.len() {
            self.start_in(index);
        }
    }

    /// Whether a door has a record to write. Whatever starts may end the door, and would charge what another record has
    /// not cleared yet.
    fn is_recording(&self) -> bool {
        let writes = |log: &Log| log.phase != LogPhase::Gone && log.writing != Writing::Done;
        self.settings.door && self.logs.iter().any(writes)
    }

    fn start_in(&mut self, index: usize) {
        loop {
            let gate = self.gate(index);
            let most = match gate {
                Gate::Shut => return,
                Gate::Probe => 1,
                Gate::Open if self.subscriptions[index].one_by_one => 1,
                Gate::Open => self.subscriptions[index].batch,
            };
            if self.subscriptions[index].gathers(most, self.now) {
                return;
            }
            let events = self.collect(index, most);
            let Some(first) = events.first() else { return };
            let linger = self.settings.wiring.batch_linger;
            let complete = self.held.get(first).map(|held| held.touched + linger);
            let complete = complete.unwrap_or(self.now);
            if events.len() < most && !linger.is_zero() && complete > self.now {
                self.subscriptions[index].gather(most, events.len(), complete);
                self.wake(complete, Timer::Start);
                return;
            }
            self.begin(events, gate == Gate::Probe, false);
        }
    }

    pub(super) fn gate(&mut self, index: usize) -> Gate {
        let now = self.now;
        let subscription = &mut self.subscriptions[index];
        if subscription.phase != Open::Open {
            return Gate::Shut;
        }
        if matches!(subscription.mode, Mode::Sick { until, .. } if until <= now) {
            subscription.mode = Mode::Up;
            self.tell(index, None, What::State(State::Up));
        }
        let subscription = &self.subscriptions[index];
        let (Probe { at, running, .. }, alone) = match subscription.mode {
            Mode::Up if subscription.calls < subscription.limit => return Gate::Open,
            Mode::Up => return Gate::Shut,
            Mode::Down(probe) => (probe, false),
            Mode::Sick { probe, .. } => (probe, true),
        };
        if running || (alone && subscription.calls > 0) {
            return Gate::Shut;
        }
        if at > now {
            self.wake(at, Timer::Start);
            return Gate::Shut;
        }
        Gate::Probe
    }

    /// Up to `most` events that may share a call: who waits longest first, and of its lane what may follow it.
    fn collect(&mut self, index: usize, most: usize) -> Vec<Id> {
        let mut events: Vec<Id> = Vec::new();
        let mut stale = Vec::new();
        let (mut bytes, mut company) = (0, most);
        for place in &self.subscriptions[index].ready {
            if events.len() >= company {
                break;
            }
            let Some(head) = self
                .held
                .get(&place.1)
                .filter(|head| self.is_ready(head, *place))
            else {
                stale.push(*place);
                continue;
            };
            if !self.logs[head.log].may_start(head.message.position.offset) {
                continue;
            }
            for id in self.followers(head, place.1) {
                let Some(held) = self.held.get(&id) else {
                    break;
                };
                let smaller = company.min(held.company);
                let fits = events.is_empty()
                    || (events.len() < smaller && bytes + held.size <= BATCH_BYTES);
                if !fits {
                    break;
                }
                company = smaller;
                bytes += held.size;
                events.push(id);
            }
        }
        for place in stale {
            self.subscriptions[index].ready.remove(&place);
        }
        events
    }

    /// A lane's head and those behind it that may be in the same batch.
    fn followers(&self, head: &Held, id: Id) -> impl Iterator<Item = Id> {
        let behind = head
            .lane
            .filter(|_| head.shares)
            .into_iter()
            .flat_map(|lane| self.lanes.queue(lane).skip(1));
        let may = |held: &Held| {
            held.shares
                && !held.suspect
                && held.is_due(self.now)
                && self.logs[held.log].may_start(held.message.position.offset)
        };
        std::iter::once(id).chain(behind.take_while(move |id| self.held.get(id).is_some_and(may)))
    }

    /// Whether an entry among the ready still says the truth.
    pub(super) fn is_ready(&self, held: &Held, place: (crate::clock::Time, Id)) -> bool {
        let first = held
            .lane
            .is_none_or(|lane| self.lanes.head(lane) == Some(place.1));
        held.touched == place.0
            && held.is_due(self.now)
            && (first || self.settings.planted.is(Mistake::OvertakeKey))
    }

    /// Calls the function with these events of one subscription.
    pub(super) fn begin(&mut self, events: Vec<Id>, probe: bool, alone: bool) {
        let Some(index) = events
            .first()
            .and_then(|id| self.held.get(id))
            .map(|held| held.subscription)
        else {
            return;
        };
        let call = self.next_id();
        let mut payload = Vec::with_capacity(events.len());
        let mut attempt = 1;
        for id in &events {
            let Some(held) = self.held.get_mut(id) else {
                continue;
            };
            let place = (held.touched, *id);
            self.subscriptions[index].ready.remove(&place);
            self.suspects.ready.remove(&place);
            if std::mem::take(&mut held.resting) {
                self.subscriptions[index].resting -= 1;
            }
            held.phase = Phase::Calling(call);
            held.touched = self.now;
            held.calls += 1;
            attempt = held.attempts + 1;
            payload.extend(held.event.clone());
        }
        for id in &events {
            if let Some(held) = self.held.get(id) {
                self.tell(
                    index,
                    Some(held),
                    What::Started {
                        attempt: held.attempts + 1,
                        batch: events.len(),
                    },
                );
                if self.settings.planted.is(Mistake::AcknowledgeFirst) {
                    self.outputs
                        .push_back(Output::SettleAgain(index, held.message.position.clone()));
                }
            }
        }
        let subscription = &mut self.subscriptions[index];
        subscription.calls += 1;
        if probe {
            subscription.mode.probing(true);
        }
        let batch = events.len() > 1;
        let wiring = &self.settings.wiring;
        let trace = payload
            .first()
            .filter(|_| !batch)
            .and_then(|event| super::finish::trace_of(event));
        let message = events.first().filter(|_| !batch);
        let message = message.and_then(|id| Some(&self.held.get(id)?.message));
        let what = Call {
            function: Arc::clone(&self.function),
            namespace: Arc::clone(&self.namespace),
            topic: match message {
                Some(message) => Arc::clone(&message.topic),
                None => Arc::clone(&self.subscriptions[index].topic),
            },
            headers: message.map_or_else(Default::default, |message| self.codec.headers(message)),
            connector: Arc::clone(&self.settings.connector),
            call_id: format!("{:016x}{:016x}", self.random.next(), self.random.next()).into(),
            payload: match (batch, payload.first()) {
                (false, Some(event)) => Payload::One(Arc::clone(event)),
                _ => Payload::Batch(payload.clone()),
            },
            format: wiring.format,
            attempt: (!batch).then_some(attempt),
            timeout: self.settings.deadline,
            trace,
        };
        self.calls.insert(
            call,
            Running {
                subscription: index,
                events: events.into_iter().zip(payload).collect(),
                probe,
                alone,
                started: self.now,
                span: None,
            },
        );
        self.outputs.push_back(Output::Call(call, index, what));
    }

    /// A new image may know batches, and may be well.
    pub(super) fn new_image(&mut self) {
        for index in 0..self.subscriptions.len() {
            let subscription = &mut self.subscriptions[index];
            subscription.one_by_one = false;
            subscription.batch = self.settings.wiring.batch_size;
            subscription.retried.clear();
            if subscription.mode != Mode::Up {
                subscription.mode = Mode::Up;
                subscription.limit = 1;
                self.tell(index, None, What::State(State::Up));
            }
        }
        for held in self.held.values_mut() {
            held.company = usize::MAX;
        }
    }

    /// When a sick function is treated as well again.
    pub(super) fn sick_until(&self) -> crate::clock::Time {
        self.now + SICK_FOR
    }
}
