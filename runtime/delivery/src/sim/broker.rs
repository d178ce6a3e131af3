//! The in-memory bus behind a network that loses, repeats, refuses and lies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use openfaas_cloudevents::Event;
use tokio::sync::oneshot;

use super::ledger::{Ledger, OwnerId};
use super::plan::{OUTPUT, REPLY_LIMIT};
use super::world::World;
use crate::broker::{
    Broker, Codec, Count, Decoded, Demand, Message, OpenError, Position, Publication, PublishError,
    Purpose, Record, Source, SourceError, SourceEvent, Stored, Subscription,
};
use crate::clock::{Clock, Time};
use crate::dead_letter::NOTES;
use crate::memory::{Bus, MemorySource};
use crate::wiring::Format;

/// How long an answer that never comes is waited for.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// The broker as one run of an engine reaches it.
#[derive(Clone)]
pub(super) struct FaultyBroker {
    pub(super) bus: Bus<World>,
    pub(super) wire: Wire,
    pub(super) away: Arc<Away>,
}

/// The way to the broker.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) world: World,
    pub(super) ledger: Ledger,
    pub(super) owner: OwnerId,
    pub(super) alive: Arc<AtomicBool>,
}

/// Until when something cannot be stored.
#[derive(Default)]
pub(super) struct Away(Mutex<(Time, Time)>);

/// One open subscription over that way.
pub(super) struct FaultySource {
    inner: Arc<MemorySource<World>>,
    wire: Wire,
    /// Its engine was told then that it is lost.
    lost: Mutex<Option<Time>>,
    /// Given out already, and coming again; and what came again, which the bus knows nothing of.
    again: Mutex<(Vec<Message>, Count)>,
}

impl Away {
    fn lock(&self) -> MutexGuard<'_, (Time, Time)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn letters(&self, until: Time) {
        self.lock().0 = until;
    }

    pub(super) fn all(&self, until: Time) {
        self.lock().1 = until;
    }
}

impl Wire {
    /// Asks for something: the request may be lost, refused or done, and its answer may be lost too. What a dead engine
    /// had just sent may arrive or not.
    async fn ask<T: Send + 'static>(
        &self,
        failures: u64,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        let world = &self.world;
        let (refused, deaf) = (world.chance(failures / 2), world.chance(failures / 2));
        if refused {
            world.sleep(world.latency()).await;
            return Err("refused");
        }
        let (to, answer) = oneshot::channel();
        let (alive, lost) = (Arc::clone(&self.alive), world.chance(500));
        let back = world.clone();
        world.after(world.latency(), move || {
            if alive.load(Ordering::Relaxed) || !lost {
                let done = act();
                back.after(back.latency(), move || drop(to.send(done)));
            }
        });
        if deaf {
            world.sleep(GIVEN_UP).await;
            return Err("no acknowledgement came");
        }
        answer.await.map_err(|_| "the connection is gone")
    }
}

impl Broker for FaultyBroker {
    type Source = FaultySource;

    async fn open(&self, subscription: &Subscription) -> Result<FaultySource, OpenError> {
        let wire = self.wire.clone();
        if wire.world.chance(wire.ledger.plan.faults.other) {
            return Err(OpenError::Unavailable("not now".into()));
        }
        let source = self.bus.open(subscription).await?;
        let inherited = source
            .pending("")
            .now_or_never()
            .and_then(Result::ok)
            .unwrap_or(0);
        wire.ledger
            .open()
            .owners
            .entry(wire.owner)
            .or_default()
            .inherited = inherited;
        Ok(FaultySource {
            inner: Arc::new(source),
            wire,
            lost: Mutex::default(),
            again: Mutex::default(),
        })
    }

    async fn check(&self, topic: &Arc<str>, purpose: Purpose) -> Result<(), OpenError> {
        if self
            .wire
            .world
            .chance(self.wire.ledger.plan.faults.other / 4)
        {
            return Err(OpenError::NotReady(format!(
                "`{topic}` cannot be stored to"
            )));
        }
        self.bus.check(topic, purpose).await
    }

    async fn publish(&self, what: &Publication) -> Result<Stored, PublishError> {
        let wire = &self.wire;
        let plan = Arc::clone(&wire.ledger.plan);
        let (letters, all) = *self.away.lock();
        let letter = *what.topic == *plan.wiring.dead_letters;
        let now = wire.world.now();
        if now < all || (letter && now < letters) {
            wire.world.sleep(wire.world.latency()).await;
            return Err(PublishError::Unavailable("the store is away".into()));
        }
        let noted = what.headers.iter().any(|header| header.name == NOTES);
        let size = what.body.as_ref().map_or(0, |body| body.len());
        if (&*what.topic == OUTPUT && size > REPLY_LIMIT)
            || (letter && noted && plan.faults.notes_too_large)
        {
            wire.world.sleep(wire.world.latency()).await;
            return Err(PublishError::TooLarge(format!("{size} bytes")));
        }
        let (bus, ledger, owner, what) = (
            self.bus.clone(),
            wire.ledger.clone(),
            wire.owner,
            what.clone(),
        );
        let act = move || {
            let stored = bus.store(&what)?;
            ledger.stored(
                owner,
                &ledger.plan.wiring.dead_letters,
                &what,
                stored.duplicate,
            );
            Ok(stored)
        };
        wire.ask(plan.faults.publish, act)
            .await
            .unwrap_or_else(|why| Err(PublishError::Unavailable(why.into())))
    }
}

impl Codec for FaultyBroker {
    fn decode(&self, message: &Message) -> Decoded {
        self.bus.decode(message)
    }

    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String> {
        self.bus.encode(topic, event, format)
    }
}

impl FaultySource {
    /// The bus gives a message: to the ledger it must not be one that is held here.
    fn given(&self, message: &Message) {
        let mut book = self.wire.ledger.open();
        let Some(&serial) = book.serials.get(&message.position.offset) else {
            return;
        };
        let held = book
            .owners
            .get(&self.wire.owner)
            .is_some_and(|watched| watched.held.contains_key(&serial));
        if held && self.wire.ledger.plan.faults.progress == 0 {
            book.violate(format!(
                "#{serial} comes again while it is held: nobody reported its progress"
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Message>, Count)> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message that comes again although it is held, or settled; one that was let go comes from the bus itself.
    fn repetition(&self) -> Option<Message> {
        let message = self.lock().0.pop()?;
        let book = self.wire.ledger.open();
        let serial = book.serials.get(&message.position.offset)?;
        let held = book
            .owners
            .get(&self.wire.owner)
            .is_some_and(|watched| watched.held.contains_key(serial));
        (held || book.fates[*serial].settled).then_some(message)
    }

    fn told_lost(&self) {
        let mut book = self.wire.ledger.open();
        book.note(|| format!("broker: {} has lost the subscription", self.wire.owner));
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(book.now);
    }
}

impl Source for FaultySource {
    async fn next(&self) -> SourceEvent {
        let (world, faults) = (&self.wire.world, self.wire.ledger.plan.faults);
        let repeated = if world.chance(faults.repeat) {
            self.repetition()
        } else {
            None
        };
        if let Some(message) = repeated {
            self.lock().1.add(message.size());
            world.sleep(world.latency()).await;
            return SourceEvent::Message(message);
        }
        let event = self.inner.next().await;
        match &event {
            SourceEvent::Message(message) => {
                self.given(message);
                if world.chance(faults.repeat) {
                    self.lock().0.push(message.clone());
                }
                if world.chance(faults.transit) {
                    return SourceEvent::Interrupted("a gap in the sequence".into());
                }
                if world.chance(300) {
                    world.sleep(world.latency()).await;
                }
            }
            SourceEvent::Lost(_) => {
                world.sleep(world.latency()).await;
                self.told_lost();
            }
            _ => {}
        }
        event
    }

    fn demand(&self, demand: Demand) {
        let more = self.lock().1;
        self.inner.demand(Demand {
            up_to: Count {
                messages: demand.up_to.messages.saturating_sub(more.messages),
                bytes: demand.up_to.bytes.saturating_sub(more.bytes),
            },
            any_size_after: demand
                .any_size_after
                .and_then(|after| after.checked_sub(more.messages)),
        });
    }

    async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        let wire = &self.wire;
        {
            let mut book = wire.ledger.open();
            let now = book.now;
            let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            if lost.is_some_and(|lost| lost < now) {
                book.violate(format!(
                    "{} is settled by one who has lost it",
                    position.offset
                ));
            }
        }
        let (inner, ledger, owner, position) = (
            Arc::clone(&self.inner),
            wire.ledger.clone(),
            wire.owner,
            position.clone(),
        );
        let act = move || {
            let settled = inner
                .settle(&position)
                .now_or_never()
                .unwrap_or(Err(SourceError::Lost));
            if settled.is_ok() {
                ledger.settling(owner, position.offset);
            }
            settled
        };
        let failures = wire.ledger.plan.faults.settle;
        wire.ask(failures, act)
            .await
            .unwrap_or_else(|why| Err(SourceError::Unavailable(why.into())))
    }

    fn progress_every(&self) -> Option<Duration> {
        self.inner.progress_every()
    }

    async fn progress(&self, positions: &[Position]) {
        let (inner, positions) = (Arc::clone(&self.inner), positions.to_vec());
        let act = move || inner.progress(&positions).now_or_never();
        // Best effort, as the engine knows.
        let _ = self
            .wire
            .ask(self.wire.ledger.plan.faults.progress, act)
            .await;
    }

    fn release(&self, position: &Position) {
        self.inner.release(position);
    }

    async fn pending(&self, log: &str) -> Result<usize, SourceError> {
        let (inner, log) = (Arc::clone(&self.inner), log.to_owned());
        let act = move || {
            inner
                .pending(&log)
                .now_or_never()
                .unwrap_or(Err(SourceError::Lost))
        };
        let failures = self.wire.ledger.plan.faults.other;
        self.wire
            .ask(failures, act)
            .await
            .unwrap_or_else(|why| Err(SourceError::Unavailable(why.into())))
    }

    async fn record(&self, log: &str, record: &Record) -> Result<(), SourceError> {
        let (inner, log, record) = (Arc::clone(&self.inner), log.to_owned(), record.clone());
        let act = move || {
            inner
                .record(&log, &record)
                .now_or_never()
                .unwrap_or(Err(SourceError::Lost))
        };
        let failures = self.wire.ledger.plan.faults.other;
        self.wire
            .ask(failures, act)
            .await
            .unwrap_or_else(|why| Err(SourceError::Unavailable(why.into())))
    }

    fn leave(&self, log: &str) {
        self.inner.leave(log);
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
