//! The bus: a store, a clock, and who waits for what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openfaas_cloudevents::Event;
use tokio::sync::Notify;

use super::source::MemorySource;
use super::store::{Limits, Room, Store};
use crate::broker::{
    Broker, Codec, Decoded, Message, OpenError, Position, Publication, PublishError, Purpose,
    Stored, Subscription,
};
use crate::clock::{Clock, SystemClock};
use crate::wiring::Format;

/// An in-memory broker. A clone is the same bus.
pub struct Bus<C = SystemClock> {
    pub(super) shared: Arc<Shared<C>>,
}

/// What of a bus is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Bytes of all messages held.
    pub bytes: usize,
    /// Of each topic: its name, messages held, messages ever stored.
    pub topics: Vec<(Arc<str>, usize, u64)>,
}

pub(super) struct Shared<C> {
    pub(super) clock: C,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) store: Store,
    /// By durable: the owners, and those who wait to become one.
    waiting: BTreeMap<Arc<str>, Vec<Arc<Notify>>>,
}

impl Bus {
    /// An empty bus on this machine's clock.
    pub fn new(limits: Limits) -> Self {
        Self::with_clock(limits, SystemClock::start())
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl<C: Clock> Bus<C> {
    /// An empty bus on this clock.
    pub fn with_clock(limits: Limits, clock: C) -> Self {
        let state = State {
            store: Store::new(limits),
            waiting: BTreeMap::new(),
        };
        Self {
            shared: Arc::new(Shared {
                clock,
                state: Mutex::new(state),
            }),
        }
    }

    /// Stores an event in its topic, as a publisher does.
    ///
    /// # Errors
    /// It can be no message, is too large, or three quarters of the bus are full.
    pub fn publish_event(
        &self,
        topic: &str,
        event: &Event,
        format: Format,
    ) -> Result<Stored, PublishError> {
        let publication = self
            .encode(&Arc::from(topic), event, format)
            .map_err(PublishError::Refused)?;
        self.put(&publication, Room::Most)
    }

    /// Stores a publication at once, as a delivery does.
    ///
    /// # Errors
    /// It is too large, or the bus is full.
    pub fn store(&self, publication: &Publication) -> Result<Stored, PublishError> {
        self.put(publication, Room::All)
    }

    fn put(&self, publication: &Publication, room: Room) -> Result<Stored, PublishError> {
        let shared = &self.shared;
        let (now, wall) = (shared.clock.now(), shared.clock.wall());
        let mut state = shared.lock();
        let stored = state.store.publish(now, wall, publication, room)?;
        state.wake_topic(&publication.topic);
        Ok(stored)
    }

    /// Stores what puts a letter back and takes the letter out, in one step, also when the bus is full.
    ///
    /// # Errors
    /// It is too large; the letter is untouched then.
    pub fn put_back(
        &self,
        publication: &Publication,
        letter: &Position,
    ) -> Result<Stored, PublishError> {
        let shared = &self.shared;
        let (now, wall) = (shared.clock.now(), shared.clock.wall());
        let mut state = shared.lock();
        let place = (&*letter.log, letter.offset);
        let stored = state.store.put_back(now, wall, publication, place)?;
        state.wake_topic(&publication.topic);
        Ok(stored)
    }

    /// The messages that a topic holds, oldest first.
    pub fn messages(&self, topic: &str) -> Vec<Arc<Message>> {
        self.shared.lock().store.messages(topic)
    }

    /// Takes one message out of a topic; false when it was not there.
    pub fn delete(&self, topic: &str, offset: u64) -> bool {
        self.shared.lock().store.delete(topic, offset)
    }

    /// The topics of dead letters, whose functions may be gone.
    pub fn dead_letter_topics(&self) -> Vec<Arc<str>> {
        self.shared.lock().store.kept()
    }

    /// Messages that this durable has not settled; `None` where it was never opened.
    pub fn backlog(&self, durable: &str) -> Option<usize> {
        self.shared.lock().store.backlog(durable)
    }

    /// Forgets a durable: a function that is gone for good. Who owns it has lost it.
    pub fn forget(&self, durable: &str) {
        let mut state = self.shared.lock();
        state.store.remove(durable);
        state.wake(durable);
    }

    /// Takes an ordered subscription away from whoever owns it, as a lease that ran out does.
    pub fn evict(&self, durable: &str) {
        let mut state = self.shared.lock();
        state.store.evict(durable);
        state.wake(durable);
    }

    /// The first message of a durable that is out, and the first that it never gave out.
    #[cfg(feature = "sim")]
    pub(crate) fn given(&self, durable: &str) -> Option<(u64, u64)> {
        self.shared.lock().store.given(durable)
    }

    /// Puts a durable back to where it had not yet given out this message.
    #[cfg(feature = "sim")]
    pub(crate) fn restore(&self, durable: &str, next: u64) {
        let mut state = self.shared.lock();
        state.store.restore(durable, next);
        state.wake(durable);
    }

    /// What is in use.
    pub fn status(&self) -> Status {
        let state = self.shared.lock();
        Status {
            bytes: state.store.bytes(),
            topics: state.store.topics(),
        }
    }
}

impl<C: Clock> Broker for Bus<C> {
    type Source = MemorySource<C>;

    fn transactional(&self) -> bool {
        true
    }

    async fn open(&self, subscription: &Subscription) -> Result<Self::Source, OpenError> {
        let changed = Arc::new(Notify::new());
        let mut waiting = Waiting {
            shared: &self.shared,
            durable: &subscription.durable,
            changed: &changed,
            over: false,
        };
        self.shared.lock().listen(&subscription.durable, &changed);
        loop {
            let opened = self.shared.lock().store.open(subscription);
            if let Some((owner, assignment)) = opened {
                waiting.over = true;
                let durable = Arc::clone(&subscription.durable);
                let changed = Arc::clone(&changed);
                return Ok(MemorySource::new(
                    Arc::clone(&self.shared),
                    durable,
                    owner,
                    changed,
                    assignment,
                ));
            }
            changed.notified().await;
        }
    }

    async fn check(&self, topic: &Arc<str>, purpose: Purpose) -> Result<(), OpenError> {
        if purpose == Purpose::DeadLetter {
            self.shared.lock().store.keep(topic);
        }
        Ok(())
    }

    async fn publish(&self, publication: &Publication) -> Result<Stored, PublishError> {
        self.store(publication)
    }
}

impl<C: Clock> Codec for Bus<C> {
    fn decode(&self, message: &Message) -> Decoded {
        super::format::decode(message)
    }

    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String> {
        let publication = super::format::encode(topic, event, format)?;
        let (size, limit) = (publication.size(), self.shared.lock().store.limits.message);
        if size > limit {
            return Err(format!(
                "{size} bytes for `{topic}`, which takes {limit} at most"
            ));
        }
        Ok(publication)
    }
}

/// Stops listening when an `open` is given up.
struct Waiting<'a, C> {
    shared: &'a Arc<Shared<C>>,
    durable: &'a Arc<str>,
    changed: &'a Arc<Notify>,
    over: bool,
}

impl<C> Drop for Waiting<'_, C> {
    fn drop(&mut self) {
        if !self.over {
            self.shared.lock().unlisten(self.durable, self.changed);
        }
    }
}

impl<C> Shared<C> {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn wake(&self, durable: &str) {
        for changed in self.waiting.get(durable).into_iter().flatten() {
            changed.notify_one();
        }
    }

    pub(super) fn wake_topic(&self, topic: &str) {
        for durable in self.store.durables_of(topic) {
            self.wake(durable);
        }
    }

    fn listen(&mut self, durable: &Arc<str>, changed: &Arc<Notify>) {
        self.waiting
            .entry(Arc::clone(durable))
            .or_default()
            .push(Arc::clone(changed));
    }

    pub(super) fn unlisten(&mut self, durable: &Arc<str>, changed: &Arc<Notify>) {
        if let Some(listeners) = self.waiting.get_mut(durable) {
            listeners.retain(|other| !Arc::ptr_eq(other, changed));
        }
    }
}

impl<C> Clone for Bus<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for Bus<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use openfaas_cloudevents::Data;

    use super::*;

    #[test]
    fn an_event_that_is_too_large_is_refused_before_it_is_published() {
        let bus = Bus::new(Limits {
            message: 1_000,
            ..Limits::default()
        });
        let event = |bytes: usize| {
            let data = Data::text("x".repeat(bytes));
            Event::new("t", data)
                .with_id("1")
                .with_source("/s")
                .with_datacontenttype("text/plain")
        };
        let topic = Arc::from("orders");
        let fits = bus.encode(&topic, &event(500), Format::Binary).unwrap();
        bus.store(&fits).unwrap();
        let error = bus
            .encode(&topic, &event(1_000), Format::Binary)
            .unwrap_err();
        assert!(
            error.ends_with("bytes for `orders`, which takes 1000 at most"),
            "{error}"
        );
        assert!(
            bus.encode(&topic, &event(1_000), Format::Structured)
                .is_err()
        );
    }
}
