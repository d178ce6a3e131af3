//! Events that a function may have died of: once it is well again they run one at a time, with nothing else in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use super::event::{Id, Phase};
use super::start::Gate;
use super::subscription::{Log, Mode, Phase as Open, Writing};
use super::{Output, Owner, Timer};
use crate::clock::Time;
use crate::observe::What;

/// Events that may be what a function died of, and whether it is well again.
#[derive(Debug)]
pub(super) struct Suspects {
    /// Lane heads whose own wait is over.
    pub(super) ready: BTreeSet<(Time, Id)>,
    /// None of them runs before.
    pub(super) at: Time,
    /// The function has answered since it last died.
    pub(super) well: bool,
    /// Its health check is under way.
    asking: bool,
    /// It is not asked before.
    pub(super) ask_at: Time,
    /// Health checks that failed in a row.
    pub(super) unwell: u32,
    /// The one that runs, or whose record is being written: nothing else may.
    pub(super) running: Option<Id>,
}

impl Owner {
    /// Asks the function for its health, as long as something waits for it.
    pub(super) fn ask_health(&mut self) {
        if self.suspects.asking
            || !self
                .held
                .values()
                .any(|held| matches!(held.phase, Phase::Waiting(_)))
        {
            return;
        }
        if self.suspects.ask_at > self.now {
            return self.wake(self.suspects.ask_at, Timer::Start);
        }
        self.suspects.asking = true;
        self.outputs.push_back(Output::AskHealth);
    }

    /// Whether the function answers its health check. If it does, what grew while it did not begins anew.
    pub(super) fn health(&mut self, well: bool) {
        self.suspects.asking = false;
        if well {
            self.suspects.well = true;
            self.suspects.unwell = 0;
            for subscription in &mut self.subscriptions {
                subscription.mode.healthy(self.now);
            }
            return;
        }
        let wait = self.draw(self.suspects.unwell);
        self.suspects.unwell = self.suspects.unwell.saturating_add(1);
        self.suspects.ask_at = self.now + wait;
    }

    /// The suspect that waits longest, where its subscription lets it start.
    pub(super) fn next_suspect(&mut self) -> Option<Id> {
        let mut found = None;
        let mut stale = Vec::new();
        let places: Vec<_> = self.suspects.ready.iter().copied().collect();
        for place in places {
            let Some(held) = self
                .held
                .get(&place.1)
                .filter(|held| held.suspect && self.is_ready(held, place))
            else {
                stale.push(place);
                continue;
            };
            let (index, may) = (
                held.subscription,
                self.logs[held.log].may_start(held.message.position.offset),
            );
            if may && self.gate_of_suspect(index) {
                found = Some(place.1);
                break;
            }
        }
        for place in stale {
            self.suspects.ready.remove(&place);
        }
        found
    }

    /// A suspect waits for calls in flight to end, so only a shut subscription holds it back.
    fn gate_of_suspect(&mut self, index: usize) -> bool {
        match self.subscriptions[index].mode {
            Mode::Up => self.subscriptions[index].phase == Open::Open,
            _ => self.gate(index) != Gate::Shut,
        }
    }

    /// Starts a suspect alone; in a door its attempt is written down first.
    pub(super) fn begin_suspect(&mut self, id: Id) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let (log, offset, attempts) = (held.log, held.message.position.offset, held.attempts);
        let probe = self.subscriptions[held.subscription].mode != Mode::Up;
        self.suspects.running = Some(id);
        if !self.settings.door {
            return self.begin(vec![id], probe, true);
        }
        held.phase = Phase::Recording;
        self.suspects.ready.remove(&(held.touched, id));
        self.logs[log].charge(offset, attempts + 1);
        self.logs[log].writing = Writing::Wanted(0);
        self.write(log);
    }

    /// The record that a suspect waited for is there.
    pub(super) fn begin_recorded(&mut self, log: usize) {
        let Some(id) = self.suspects.running else {
            return;
        };
        let Some(held) = self.held.get(&id) else {
            return;
        };
        if held.log == log && matches!(held.phase, Phase::Recording) {
            let probe = self.subscriptions[held.subscription].mode != Mode::Up;
            self.begin(vec![id], probe, true);
        }
    }

    /// The function died of this event, and of no other: it is charged, and all suspects wait together.
    pub(super) fn blame(&mut self, id: Id, reason: &str) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        held.suspect = true;
        held.attempts += 1;
        held.last = reason.to_owned();
        let attempts = held.attempts;
        if attempts >= self.settings.wiring.retry.attempts {
            return self.bury(
                id,
                format!("the function died of it {attempts} times: {reason}"),
            );
        }
        let wait = self.draw(attempts - 1);
        self.suspects.at = self.now + wait;
        let index = self.held.get(&id).map_or(0, |held| held.subscription);
        self.tell(
            index,
            self.held.get(&id),
            What::Waiting {
                until: self.suspects.at,
                attempts,
            },
        );
        self.rest(id, Duration::ZERO);
    }

    /// Any answer clears a suspect.
    pub(super) fn clear(&mut self, id: Id) {
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        held.suspect = false;
        let (log, offset) = (held.log, held.message.position.offset);
        if self.logs[log].clear(offset) && self.settings.door {
            self.logs[log].writing = Writing::Wanted(0);
            self.write(log);
        }
    }
}

impl Default for Suspects {
    /// None, of a function that is well.
    fn default() -> Self {
        Self {
            ready: BTreeSet::new(),
            at: Time::default(),
            well: true,
            asking: false,
            ask_at: Time::default(),
            unwell: 0,
            running: None,
        }
    }
}

impl Log {
    /// Notes what a suspect of this log has been charged.
    pub(super) fn charge(&mut self, offset: u64, attempts: u32) {
        let suspects = &mut self.record.suspects;
        match suspects.binary_search_by_key(&offset, |(suspect, _)| *suspect) {
            Ok(place) => suspects[place].1 = attempts,
            Err(place) => suspects.insert(place, (offset, attempts)),
        }
    }

    /// A suspect of this log is cleared or settled; whether it was one.
    pub(super) fn clear(&mut self, offset: u64) -> bool {
        let known = self.record.suspects.len();
        self.record
            .suspects
            .retain(|(suspect, _)| *suspect != offset);
        self.record.suspects.len() != known
    }
}
