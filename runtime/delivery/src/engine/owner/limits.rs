//! How much an owner holds, and what it reports while it does.

use super::subscription::Phase;
use super::{Output, Owner, Timer};
use crate::broker::{Count, Demand};
use crate::engine::mistake::Mistake;

/// As many bytes as there are.
const ANY: u64 = u64::MAX / 2;

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
            let (messages, bytes, any_size) = self.room(index);
            let subscription = &mut self.subscriptions[index];
            let came = subscription.came;
            let up_to = Count {
                messages: came.messages + messages,
                bytes: came.bytes.saturating_add(bytes),
            };
            let wanted = Demand {
                up_to,
                any_size_after: any_size.then_some(came.messages),
            };
            let allowed = subscription.allowed;
            // A little more is not worth telling, as long as there is something left.
            let grows = |wanted: u64, allowed: u64, came: u64, room: u64| {
                wanted > allowed && allowed.saturating_sub(came) <= room - room.div_ceil(4)
            };
            if wanted.up_to.messages < allowed.up_to.messages
                || wanted.up_to.bytes < allowed.up_to.bytes
                || (any_size && wanted.any_size_after != allowed.any_size_after)
                || grows(
                    up_to.messages,
                    allowed.up_to.messages,
                    came.messages,
                    messages,
                )
                || grows(up_to.bytes, allowed.up_to.bytes, came.bytes, bytes)
            {
                subscription.allowed = wanted;
                self.outputs.push_back(Output::Demand(index, wanted));
            }
        }
    }

    /// Messages and bytes there is room for, and whether nothing is held: then one of any size is welcome.
    fn room(&self, index: usize) -> (u64, u64, bool) {
        let subscription = &self.subscriptions[index];
        if subscription.phase != Phase::Open || self.draining {
            return (0, 0, false);
        }
        let planted = self.settings.planted;
        let wiring = &self.settings.wiring;
        if planted.is(Mistake::NoWindow) || planted.is(Mistake::DropOnFullWindow) {
            return (wiring.window as u64 * 8, ANY, true);
        }
        let mut logs = self.logs.iter().filter(|log| log.subscription == index);
        if logs.any(|log| log.handover.is_some()) {
            return (wiring.window as u64, ANY, true);
        }
        let mut messages = wiring.window.saturating_sub(subscription.held);
        if !subscription.ordered {
            let waiting = subscription.held - subscription.resting;
            messages = messages.min((2 * wiring.concurrency).saturating_sub(waiting));
        }
        let bytes = self.share.saturating_sub(subscription.bytes);
        (messages as u64, bytes as u64, subscription.held == 0)
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
