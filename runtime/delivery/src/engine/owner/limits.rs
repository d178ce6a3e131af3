//! How much an owner holds, and what it reports while it does.

use super::subscription::Phase;
use super::{Output, Owner, Timer};
use crate::broker::Demand;
use crate::engine::mistake::Mistake;

impl Owner {
    /// Whether one more of this size may be held.
    pub(super) fn fits(&self, index: usize, size: usize) -> bool {
        let subscription = &self.subscriptions[index];
        subscription.held == 0
            || (subscription.held < self.settings.wiring.window
                && subscription.bytes + size <= self.share)
    }

    /// Tells each source what it may give from now on.
    pub(super) fn demand(&mut self) {
        for index in 0..self.subscriptions.len() {
            let wanted = self.room(index);
            let subscription = &mut self.subscriptions[index];
            let allowed = subscription.allowed;
            let grows = |wanted: usize, allowed: usize| {
                wanted > allowed && allowed <= wanted - wanted.div_ceil(4)
            };
            if wanted.messages < allowed.messages
                || wanted.bytes < allowed.bytes
                || wanted.any_size != allowed.any_size
                || grows(wanted.messages, allowed.messages)
                || grows(wanted.bytes, allowed.bytes)
            {
                subscription.allowed = wanted;
                self.outputs.push_back(Output::Demand(index, wanted));
            }
        }
    }

    /// What there is room for. One message is always welcome where none is held.
    fn room(&self, index: usize) -> Demand {
        let subscription = &self.subscriptions[index];
        if subscription.phase != Phase::Open || self.draining {
            return Demand::default();
        }
        let wiring = &self.settings.wiring;
        let unbounded = |messages| Demand {
            messages,
            bytes: usize::MAX / 2,
            any_size: true,
        };
        if self.settings.planted.is(Mistake::NoWindow)
            || self.settings.planted.is(Mistake::DropOnFullWindow)
        {
            return unbounded(wiring.window * 8);
        }
        if self
            .logs
            .iter()
            .any(|log| log.subscription == index && log.handover.is_some())
        {
            return unbounded(wiring.window);
        }
        let mut messages = wiring.window.saturating_sub(subscription.held);
        if !subscription.ordered {
            let waiting = subscription.held - subscription.resting;
            messages = messages.min((2 * wiring.concurrency).saturating_sub(waiting));
        }
        Demand {
            messages,
            bytes: self.share.saturating_sub(subscription.bytes),
            any_size: subscription.held == 0,
        }
    }

    /// Reports what is held as in progress, and again in time.
    pub(super) fn progress(&mut self, index: usize) {
        let subscription = &self.subscriptions[index];
        let Some(every) = subscription.progress else {
            return;
        };
        if matches!(subscription.phase, Phase::Opening | Phase::Closed) {
            return;
        }
        let mut positions = Vec::with_capacity(subscription.held);
        for (&(log, _), id) in &self.by_position {
            if self.logs[log].subscription == index {
                positions.extend(self.held.get(id).map(|held| held.message.position.clone()));
            }
        }
        if !positions.is_empty() && !self.settings.planted.is(Mistake::ForgetProgress) {
            self.outputs.push_back(Output::Progress(index, positions));
        }
        self.wake(self.now + every, Timer::Progress(index));
    }
}
