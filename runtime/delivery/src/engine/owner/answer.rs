//! What a call that ended means: for its events, and for their subscription.

use std::time::Duration;

use openfaas_telemetry::TraceContext;

use super::event::{Id, Phase};
use super::subscription::{Mode, Probe, SICK_AFTER};
use super::{CallId, Output, Owner, Running, Timer};
use crate::answer::{Rules, State as Silence, Unavailable, Verdict};
use crate::batch::{BatchVerdict, EventVerdict};
use crate::call::Outcome;
use crate::engine::mistake::Mistake;
use crate::engine::spans::Fate;
use crate::observe::{State, What};

impl Owner {
    /// A call ended; `span` is the one it bore, where it had one of its own.
    pub(super) fn called(&mut self, call: CallId, outcome: Outcome, span: Option<TraceContext>) {
        let Some(mut running) = self.calls.remove(&call) else {
            return;
        };
        running.span = span;
        let subscription = &mut self.subscriptions[running.subscription];
        subscription.calls -= 1;
        if running.probe {
            subscription.mode.probing(false);
        }
        if running
            .events
            .first()
            .is_some_and(|(id, _)| self.suspects.running == Some(*id))
        {
            self.suspects.running = None;
        }
        let codes = self.settings.wiring.retry.codes.clone();
        let limits = self.settings.limits;
        let rules = Rules {
            codes: &codes,
            replies: !self.settings.wiring.replies.is_empty(),
            limits: &limits,
        };
        let otherwise = if running.events.len() > 1 {
            let events: Vec<_> = running.events.iter().map(|(_, event)| &**event).collect();
            let verdict = BatchVerdict::of(&events, &outcome, &rules, self.wall);
            let otherwise = match &verdict {
                BatchVerdict::Settled(_) => Fate::Retry,
                BatchVerdict::Unavailable(_) => Fate::Unanswered,
                BatchVerdict::Unsupported { .. } | BatchVerdict::Split { .. } => Fate::Untold,
            };
            self.batch_called(call, &running, verdict);
            otherwise
        } else if let Some((id, _)) = running.events.first() {
            let verdict = Verdict::of(&outcome, &rules, self.wall);
            let otherwise = match &verdict {
                Verdict::Unavailable(_) => Fate::Unanswered,
                _ => Fate::Retry,
            };
            self.one_called(call, &running, *id, status(&outcome), verdict);
            otherwise
        } else {
            return;
        };
        if self.settings.traced {
            let fate = self.fate(&running, otherwise);
            self.outputs.push_back(Output::Judged(call, fate));
        }
    }

    /// What becomes of the events of a call; `otherwise`: of one that waits to be called again.
    fn fate(&self, running: &Running, otherwise: Fate) -> Fate {
        let of = |id: &Id| match self.held.get(id).map(|held| &held.phase) {
            None => Fate::LetGo,
            Some(Phase::Finishing(finish)) if finish.letter.is_some() => Fate::DeadLetter,
            Some(Phase::Finishing(_)) => Fate::Done,
            Some(_) => otherwise,
        };
        let mut fates = running.events.iter().map(|(id, _)| of(id));
        let first = fates.next().unwrap_or(otherwise);
        match fates.all(|fate| fate == first) {
            true => first,
            false => Fate::Mixed,
        }
    }

    fn one_called(
        &mut self,
        call: CallId,
        running: &Running,
        id: Id,
        status: u16,
        verdict: Verdict,
    ) {
        if let Verdict::Unavailable(unavailable) = verdict {
            return self.silent(call, running, &unavailable);
        }
        self.spoke(running.subscription);
        let subscription = &mut self.subscriptions[running.subscription];
        // At a size of one there is no 207 to make it grow again.
        let retry = matches!(verdict, Verdict::Retry { .. });
        if !retry && !subscription.one_by_one && subscription.batch == 1 {
            subscription.batch = self.settings.wiring.batch_size.min(2);
        }
        if self.is_in(call, id) {
            self.judged(running, id, status, verdict);
        }
    }

    fn batch_called(&mut self, call: CallId, running: &Running, verdict: BatchVerdict) {
        let index = running.subscription;
        let events: Vec<Id> = running
            .events
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| self.is_in(call, *id))
            .collect();
        let half = (running.events.len() / 2).max(1);
        match verdict {
            BatchVerdict::Settled(verdicts) => {
                self.spoke(index);
                let subscription = &mut self.subscriptions[index];
                subscription.batch = (subscription.batch + 1).min(self.settings.wiring.batch_size);
                for ((id, _), verdict) in running.events.iter().zip(verdicts) {
                    match verdict {
                        _ if !self.is_in(call, *id) => {}
                        EventVerdict::NotTried => {
                            self.untold(*id, "an earlier one of its partitionkey is to be retried")
                        }
                        EventVerdict::Tried { status, verdict } => {
                            self.judged(running, *id, status, verdict)
                        }
                    }
                }
            }
            BatchVerdict::Unsupported { reason } => {
                self.spoke(index);
                self.subscriptions[index].one_by_one = true;
                self.tell(index, None, What::State(State::OneByOne));
                events.into_iter().for_each(|id| self.untold(id, &reason));
            }
            BatchVerdict::Split { after, reason } => {
                self.spoke(index);
                self.subscriptions[index].batch = half;
                let wait = self.wait(after, 0);
                for id in events {
                    if self.settings.planted.is(Mistake::ChargeBatch) {
                        let verdict = Verdict::Retry {
                            after,
                            reason: reason.clone(),
                        };
                        self.judged(running, id, 503, verdict);
                        continue;
                    }
                    if let Some(held) = self.held.get_mut(&id) {
                        held.company = half;
                        held.last.clone_from(&reason);
                    }
                    self.tell(index, self.held.get(&id), What::Untold { reason: &reason });
                    self.rest(id, wait);
                }
            }
            BatchVerdict::Unavailable(unavailable) => self.silent(call, running, &unavailable),
        }
    }

    /// The call said nothing of this event.
    fn untold(&mut self, id: Id, reason: &str) {
        if let Some(held) = self.held.get(&id) {
            self.tell(held.subscription, Some(held), What::Untold { reason });
        }
        self.rest(id, Duration::ZERO);
    }

    /// An answer to one event.
    fn judged(&mut self, running: &Running, id: Id, status: u16, verdict: Verdict) {
        let took = self.now.since(running.started);
        let index = running.subscription;
        self.tell(index, self.held.get(&id), What::Answered { status, took });
        self.clear(id);
        let retry = match &verdict {
            Verdict::Retry { after, .. } => Some(*after),
            _ => None,
        };
        match verdict {
            Verdict::Done { replies } => self.reply(id, replies, running.span.as_ref()),
            Verdict::Reject { reason } => {
                if let Some(held) = self.held.get_mut(&id) {
                    held.attempts += 1;
                }
                self.bury(id, reason);
            }
            Verdict::Retry { after, reason } => self.retry(id, after, reason),
            Verdict::Unavailable(_) => self.rest(id, Duration::ZERO),
        }
        self.note(running, id, retry);
    }

    fn retry(&mut self, id: Id, after: Option<Duration>, reason: String) {
        let after = after.filter(|_| !self.settings.planted.is(Mistake::IgnoreRetryAfter));
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let sick = matches!(
            self.subscriptions[held.subscription].mode,
            Mode::Sick { .. }
        );
        if !sick || self.settings.planted.is(Mistake::CountWhileSick) {
            held.attempts += 1;
        }
        let attempts = held.attempts;
        if attempts >= self.settings.wiring.retry.attempts {
            return self.bury(id, reason);
        }
        held.last = reason;
        let wait = self.wait(after, attempts.saturating_sub(1));
        self.rest(id, wait);
    }

    /// Lets an event wait for its next call.
    pub(super) fn rest(&mut self, id: Id, wait: Duration) {
        let until = self.now + wait;
        let early = self.settings.planted.is(Mistake::RetryEarly);
        let overtaken = self.settings.planted.is(Mistake::RetryAtTheEnd);
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        held.phase = Phase::Waiting(if early { self.now } else { until });
        if !wait.is_zero() {
            if !std::mem::replace(&mut held.resting, true) {
                self.subscriptions[held.subscription].resting += 1;
            }
            let (index, attempts) = (held.subscription, held.attempts);
            self.tell(index, self.held.get(&id), What::Waiting { until, attempts });
        }
        if let Some(lane) = self
            .held
            .get(&id)
            .and_then(|held| held.lane)
            .filter(|_| overtaken && !wait.is_zero())
        {
            self.lanes.remove(lane, id);
            let lane = self.lanes.of(None);
            self.lanes.insert(lane, id, |_| false);
            let old = self
                .held
                .get_mut(&id)
                .and_then(|held| held.lane.replace(lane));
            if let Some(next) = old.and_then(|old| self.lanes.head(old)) {
                self.line_up(next);
            }
        }
        self.line_up(id);
    }

    /// The function itself has answered, whatever it said.
    fn spoke(&mut self, index: usize) {
        self.suspects.well = true;
        self.suspects.unwell = 0;
        let concurrency = self.settings.wiring.concurrency;
        let subscription = &mut self.subscriptions[index];
        subscription.limit = (subscription.limit + 1).min(concurrency);
        if matches!(subscription.mode, Mode::Down(_)) {
            subscription.mode = Mode::Up;
            self.tell(index, None, What::State(State::Up));
        }
    }

    /// Sees by the answers when the function gets sick, and when it is well again. `retry`: this one asked for another
    /// call, after a wait of its own if it said so.
    fn note(&mut self, running: &Running, id: Id, retry: Option<Option<Duration>>) {
        let (index, at, until) = (running.subscription, self.now, self.sick_until());
        let subscription = &mut self.subscriptions[index];
        let mode = subscription.mode;
        match (retry, mode) {
            (None, Mode::Sick { .. }) => {
                subscription.mode = Mode::Up;
                self.tell(index, None, What::State(State::Up));
            }
            (None, _) => subscription.retried.clear(),
            (Some(after), Mode::Sick { probe, until }) if running.probe => {
                let probe = self.next_step(probe, after);
                self.subscriptions[index].mode = Mode::Sick { probe, until };
            }
            (Some(_), Mode::Sick { .. }) => {}
            (Some(_), _) => {
                subscription.retried.push_back(id);
                if subscription.retried.len() > SICK_AFTER {
                    subscription.retried.pop_front();
                }
                let several = subscription.retried.iter().any(|other| *other != id);
                if subscription.retried.len() == SICK_AFTER && several {
                    subscription.retried.clear();
                    let probe = Probe::first(at, false);
                    subscription.mode = Mode::Sick { probe, until };
                    self.tell(index, None, What::State(State::Sick));
                }
            }
        }
    }

    /// A call ended without an answer.
    fn silent(&mut self, call: CallId, running: &Running, silence: &Unavailable) {
        let index = running.subscription;
        let died = silence.state == Silence::Died;
        if died {
            self.suspects.well = false;
            self.suspects.ask_at = self.now;
        }
        self.down(index, running.probe, died, silence);
        for (id, _) in &running.events {
            if !self.is_in(call, *id) {
                continue;
            }
            self.tell(
                index,
                self.held.get(id),
                What::Unanswered {
                    reason: &silence.reason,
                    suspect: died,
                },
            );
            let blamed =
                died && (running.alone || self.settings.planted.is(Mistake::ChargeNeighbours));
            let refused = !died && self.settings.planted.is(Mistake::CountRefusals);
            if blamed || refused {
                self.blame(*id, &silence.reason);
                continue;
            }
            if let Some(held) = self.held.get_mut(id) {
                held.suspect |= died;
                held.last.clone_from(&silence.reason);
            }
            self.rest(*id, Duration::ZERO);
        }
    }

    /// The function is down or full: one call at once, then one per step. After a death its health is asked instead, and no
    /// step grows.
    fn down(&mut self, index: usize, probe: bool, died: bool, silence: &Unavailable) {
        let at = self.now;
        let subscription = &mut self.subscriptions[index];
        subscription.limit = subscription.calls.max(1);
        if died {
            return;
        }
        match subscription.mode {
            Mode::Up => {
                let retry = &self.settings.wiring.retry;
                let asked = silence.after.map(|after| retry.clamp(after));
                let at = at + asked.unwrap_or_default();
                subscription.mode = Mode::Down(Probe::first(at, asked.is_some()));
                self.tell(index, None, What::State(State::Down(&silence.reason)));
            }
            Mode::Down(step) if probe => {
                let step = self.next_step(step, silence.after);
                self.subscriptions[index].mode = Mode::Down(step);
            }
            Mode::Sick { probe: step, until } if probe => {
                let probe = self.next_step(step, silence.after);
                self.subscriptions[index].mode = Mode::Sick { probe, until };
            }
            Mode::Down(_) | Mode::Sick { .. } => {}
        }
        self.wake(at, Timer::Start);
    }

    fn next_step(&mut self, probe: Probe, after: Option<Duration>) -> Probe {
        let at = self.now + self.wait(after, probe.step);
        Probe {
            at,
            asked: after.is_some(),
            step: probe.step.saturating_add(1),
            running: false,
        }
    }

    fn is_in(&self, call: CallId, id: Id) -> bool {
        self.held
            .get(&id)
            .is_some_and(|held| matches!(held.phase, Phase::Calling(other) if other == call))
    }
}

/// The status that an outcome stands for; where there was no answer nobody asks.
fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Answered(answer) => answer.status.as_u16(),
        Outcome::TimedOut | Outcome::Refused(_) | Outcome::Cut(_) | Outcome::CutShort(_) => 504,
    }
}
