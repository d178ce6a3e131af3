//! Tells from time to time how subscriptions stand.

use std::sync::Arc;

use super::{Done, Driver};
use crate::broker::{Broker, Source, SourceError};
use crate::clock::Clock;
use crate::observe::{Observer, Standing, What};
use crate::target::Target;

impl<B: Broker, T: Target, O: Observer, C: Clock> Driver<B, T, O, C> {
    /// Asks the broker how much of a subscription is not settled, if somebody wants to know.
    pub(super) fn measure(&self, index: usize, generation: u64) {
        let asked = self.engine.measure_every.is_some() && !self.owner.is_draining();
        if asked && self.is_current(index, generation) {
            self.with_source(index, async move |source| {
                Done::Measured(index, generation, source.lag().await)
            });
        }
    }

    /// Tells the answer, and asks again later.
    pub(super) fn measured(&self, index: usize, generation: u64, lag: Result<u64, SourceError>) {
        let Some(every) = self.engine.measure_every else {
            return;
        };
        if !self.is_current(index, generation) || self.owner.is_draining() {
            return;
        }
        let clock = Arc::clone(&self.engine.clock);
        let standing = Standing {
            lag: lag.ok(),
            ..self.owner.standing(index, clock.wall())
        };
        self.say(index, What::Standing(standing));
        let again = clock.now() + every;
        self.work.push(Box::pin(async move {
            clock.sleep_until(again).await;
            Done::MeasureAgain(index, generation)
        }));
    }

    fn is_current(&self, index: usize, generation: u64) -> bool {
        self.subscriptions[index].generation == generation
    }
}
