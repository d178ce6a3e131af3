//! What comes from a broker.

use std::sync::Arc;

use super::event::{Finish, Held, Id, Phase};
use super::subscription::{LogPhase, Phase as Open};
use super::{Output, Owner, Timer};
use crate::broker::{Decoded, Message};
use crate::engine::mistake::Mistake;
use crate::observe::What;
use crate::{dead_letter, reply};

impl Owner {
    pub(super) fn arrived(&mut self, index: usize, message: Arc<Message>, decoded: Decoded) {
        let subscription = &mut self.subscriptions[index];
        let size = message.size();
        subscription.came.add(size);
        if subscription.phase != Open::Open {
            return;
        }
        let Some(log) = self
            .log(index, &message.position.log)
            .filter(|log| self.logs[*log].phase == LogPhase::Held)
        else {
            return;
        };
        let at = (log, message.position.offset);
        if self.known(index, at)
            || self.let_go(index, log, &message)
            || self.dropped(index, &message)
        {
            return;
        }
        let held = self.hold(index, log, message, decoded);
        let id = self.next_id();
        self.by_position.insert(at, id);
        self.logs[log].held += 1;
        let subscription = &mut self.subscriptions[index];
        subscription.held += 1;
        subscription.bytes += held.size;
        let lane = held.lane;
        self.held.insert(id, held);
        self.tell(index, self.held.get(&id), What::Received);
        if let Some(lane) = lane {
            let (held, overtakes) = (&self.held, self.logs[log].handover.is_some());
            self.lanes
                .insert(lane, id, |other| overtakes && follows(held, other, at));
        }
        self.begin_with(id);
    }

    /// Whether this message is held already, or was settled just now.
    fn known(&mut self, index: usize, at: (usize, u64)) -> bool {
        if let Some(id) = self.by_position.get(&at).copied() {
            self.tell(index, self.held.get(&id), What::Repeated);
            if self.settings.planted.is(Mistake::StartRepeated) {
                self.forget(id);
                return false;
            }
            return true;
        }
        if self.subscriptions[index].settled.contains(at)
            && !self.settings.planted.is(Mistake::StartRepeated)
        {
            let position = self.position(at);
            self.tell(index, None, What::Repeated);
            self.outputs.push_back(Output::SettleAgain(index, position));
            return true;
        }
        false
    }

    /// Lets go of a message that came before those of the last owner and does not fit.
    fn let_go(&mut self, index: usize, log: usize, message: &Message) -> bool {
        let full = !self.fits(index, message.size());
        let offset = message.position.offset;
        let Some(handover) = &mut self.logs[log].handover else {
            return false;
        };
        if handover.let_go.remove(&offset) || offset <= handover.up_to || !full {
            return false;
        }
        handover.let_go.insert(offset);
        self.tell(index, None, What::LetGo);
        true
    }

    /// The planted mistake of losing what does not fit.
    fn dropped(&mut self, index: usize, message: &Message) -> bool {
        if !self.settings.planted.is(Mistake::DropOnFullWindow) || self.fits(index, message.size())
        {
            return false;
        }
        self.outputs
            .push_back(Output::SettleAgain(index, message.position.clone()));
        true
    }

    fn hold(&mut self, index: usize, log: usize, message: Arc<Message>, decoded: Decoded) -> Held {
        let size = message.size();
        let offset = message.position.offset;
        let ordered = self.subscriptions[index].ordered;
        let mut phase = Phase::Waiting(self.now);
        let (mut event, mut key, mut shares, mut last) = (None, None, false, String::new());
        match decoded {
            Decoded::Event(decoded) => {
                if !self.is_wanted(&message, &decoded) {
                    phase = Phase::Finishing(Finish {
                        filtered: true,
                        ..Finish::default()
                    });
                } else {
                    key = reply::order_key(&decoded, message.key.as_deref()).filter(|_| ordered);
                    shares = decoded.partition_key().is_some();
                }
                event = Some(Arc::new(decoded));
            }
            Decoded::Broken(reason) => {
                phase = Phase::Finishing(Finish::default());
                last = reason;
            }
        }
        let goes_through = matches!(phase, Phase::Waiting(_));
        let lane = goes_through.then(|| {
            self.lanes
                .of(key.map(|key| (index, key.into_bytes().into())))
        });
        let charged = self.logs[log]
            .record
            .suspects
            .iter()
            .find(|(suspect, _)| *suspect == offset);
        let suspect = charged.is_some()
            || self.logs[log]
                .suspect_up_to
                .is_some_and(|last| offset <= last);
        Held {
            subscription: index,
            log,
            message,
            event,
            size,
            lane,
            shares,
            attempts: charged.map_or(0, |(_, attempts)| *attempts),
            calls: 0,
            touched: self.now,
            company: usize::MAX,
            suspect: suspect && goes_through,
            resting: false,
            last,
            phase,
        }
    }

    /// The first step of an event: a place in its lane, or its end without a call.
    fn begin_with(&mut self, id: Id) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        let (index, attempts, suspect) = (held.subscription, held.attempts, held.suspect);
        match &held.phase {
            Phase::Finishing(finish) if finish.filtered => {
                self.tell(index, self.held.get(&id), What::Filtered);
                self.finish(id);
            }
            Phase::Finishing(_) => {
                let reason = held.last.clone();
                self.bury(id, reason);
            }
            _ if suspect && attempts >= self.settings.wiring.retry.attempts => {
                self.bury(id, format!("the function died of it {attempts} times"));
            }
            _ => self.line_up(id),
        }
    }

    /// Whether it is for this function: put back for it, whatever its filter says by now, or taken by the filter. The
    /// marker of a letter that is gone is for nobody.
    fn is_wanted(&self, message: &Message, event: &openfaas_cloudevents::Event) -> bool {
        let filter = || self.settings.wiring.filter.as_ref();
        match dead_letter::redrive(message) {
            _ if message.header(dead_letter::GONE).is_some() => false,
            Some(redrive) => redrive.is_for(&self.namespace, &self.function),
            None => filter().is_none_or(|filter| filter.matches(event)),
        }
    }

    /// Makes an event ready if it is its turn and its time; wakes it later otherwise.
    pub(super) fn line_up(&mut self, id: Id) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        let first = held
            .lane
            .is_none_or(|lane| self.lanes.head(lane) == Some(id));
        if !first && !self.settings.planted.is(Mistake::OvertakeKey) {
            return;
        }
        match &held.phase {
            Phase::Waiting(until) if *until > self.now => {
                let until = *until;
                self.wake(until, Timer::Event(id));
            }
            Phase::Waiting(_) => {
                let place = (held.touched, id);
                match held.suspect {
                    true => drop(self.suspects.ready.insert(place)),
                    false => self.subscriptions[held.subscription].line_up(place, self.now),
                }
            }
            Phase::Finishing(_) => self.finish(id),
            Phase::Recording | Phase::Calling(_) => {}
        }
    }

    /// An event's wait is over.
    pub(super) fn woken(&mut self, id: Id) {
        self.line_up(id);
    }
}

/// Whether `other` has not begun and lies behind `at` in the same log.
fn follows(held: &std::collections::BTreeMap<Id, Held>, other: Id, at: (usize, u64)) -> bool {
    held.get(&other).is_some_and(|other| {
        other.log == at.0
            && other.message.position.offset > at.1
            && other.calls == 0
            && matches!(other.phase, Phase::Waiting(_))
    })
}
