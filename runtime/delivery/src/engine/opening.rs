//! From "not ready" to an open subscription.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::broker::{Broker, OpenError, Purpose, Subscription};
use crate::clock::Clock;
use crate::observe::{Observation, Observer, State, What};
use crate::target::Target;
use crate::wiring::{Order, Wiring};

/// What is missing is asked for again that often.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// A broker that does not answer is asked again after this, then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Who is not let in by then, though the broker answers, waits for another owner.
const LET_IN: Duration = Duration::from_secs(6);

impl<B: Broker, T: Target, O: Observer, C: Clock> Engine<B, T, O, C> {
    /// Opens the subscription to one topic once everything it stores to can be stored to.
    pub(super) async fn open(self, wiring: Arc<Wiring>, topic: Arc<str>) -> B::Source {
        let mut wait = FIRST_WAIT;
        loop {
            let error = match self.try_open(&wiring, &topic).await {
                Ok(source) => return source,
                Err(error) => error,
            };
            self.say(&wiring, &topic, State::NotReady(&error.to_string()));
            let pause = match error {
                OpenError::NotReady(_) => ASK_AGAIN,
                OpenError::Unavailable(_) => wait,
            };
            self.clock.sleep_until(self.clock.now() + pause).await;
            wait = (wait * 2).min(ASK_AGAIN);
        }
    }

    async fn try_open(&self, wiring: &Wiring, topic: &Arc<str>) -> Result<B::Source, OpenError> {
        if wiring.transactions && !self.broker.transactional() {
            return Err(OpenError::no_transactions());
        }
        self.broker
            .check(&Arc::from(wiring.dead_letter_topic()), Purpose::DeadLetter)
            .await?;
        for reply in wiring.replies.topics() {
            self.broker.check(&Arc::from(reply), Purpose::Reply).await?;
        }
        let ordered = wiring.order == Order::Key;
        let subscription = Subscription {
            topic: Arc::clone(topic),
            durable: self.broker.durable(wiring, topic).into(),
            start: wiring.start,
            ordered,
            window: ordered.then_some(wiring.window),
            transactions: wiring.transactions,
        };
        let opening = self.broker.open(&subscription);
        let mut opening = std::pin::pin!(opening);
        let let_in = self.clock.sleep_until(self.clock.now() + LET_IN);
        tokio::select! {
            biased;
            opened = &mut opening => return opened,
            () = let_in => self.say(wiring, topic, State::StandsBy),
        }
        opening.await
    }

    fn say(&self, wiring: &Wiring, topic: &Arc<str>, state: State<'_>) {
        self.observer.observe(&Observation {
            at: self.clock.now(),
            function: &wiring.function,
            namespace: &wiring.namespace,
            topic,
            position: None,
            event: None,
            what: What::State(state),
        });
    }
}
