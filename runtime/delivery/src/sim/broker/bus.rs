//! One open subscription to the in-memory bus, behind a network that loses, repeats, delays and lies.
//!
//! With a lease it is what a NATS source is to be: the bus gives to whoever asks, as that server does, and takes an
//! acknowledgement from anybody; that only the holder works is this source's own doing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;

use super::consumer::Consumer;
use crate::broker::{
    Count, Demand, Message, Position, Record, Source, SourceError, SourceEvent, Subscription,
};
use crate::clock::{Clock, Time};
use crate::engine::Planted;
use crate::engine::mistake::Mistake;
use crate::memory::MemorySource;
use crate::sim::lease::Lease;
use crate::sim::process::Process;
use crate::sim::world::World;

/// How long a message is held up that another overtakes.
const HELD_UP: Duration = Duration::from_millis(20);

/// One open subscription.
pub(in crate::sim) struct BusSource {
    inner: Arc<MemorySource<World>>,
    process: Process,
    topic: Arc<str>,
    ordered: bool,
    lease: Option<Lease>,
    consumer: Consumer,
    /// How often its server had crashed when it was opened.
    crashes: u64,
    planted: Planted,
    way: Mutex<Way>,
}

/// What happened on the way.
#[derive(Default)]
struct Way {
    /// Its engine was told then that it is lost.
    lost: Option<Time>,
    /// Settles that were answered so.
    refused: BTreeSet<Position>,
    /// Given out already, and coming again.
    again: Vec<Message>,
    /// Overtaken.
    late: VecDeque<SourceEvent>,
    /// The number that the next message has.
    expected: u64,
    /// What the engine allows.
    demand: Demand,
    /// What came again, which the bus knows nothing of; and what never came, which the engine knows nothing of.
    repeated: Count,
    missing: Count,
}

impl BusSource {
    pub(super) fn new(
        inner: MemorySource<World>,
        subscription: &Subscription,
        process: &Process,
        lease: Option<Lease>,
        consumer: Consumer,
        planted: Planted,
    ) -> Self {
        let expected = consumer.sequence() + 1;
        Self {
            inner: Arc::new(inner),
            process: process.clone(),
            topic: Arc::clone(&subscription.topic),
            ordered: subscription.ordered,
            lease,
            crashes: consumer.crashes(),
            consumer,
            planted,
            way: Mutex::new(Way {
                expected,
                ..Way::default()
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_held(&self) -> bool {
        self.lease.as_ref().is_none_or(Lease::is_held)
    }

    pub(in crate::sim) async fn next(&self) -> SourceEvent {
        let (world, faults) = (&self.process.world, self.process.ledger.plan.faults);
        let late = self.lock().late.pop_front();
        if let Some(event) = late {
            return event;
        }
        if let Some(message) = self.repetition() {
            self.lock().repeated.add(message.size());
            world.sleep(world.latency()).await;
            return SourceEvent::Message(message);
        }
        loop {
            let message = match self.take().await {
                SourceEvent::Message(message) => message,
                SourceEvent::Assigned(assignment) => {
                    let record = self.lease.as_ref().map(Lease::record);
                    return SourceEvent::Assigned(crate::broker::Assignment {
                        record: record.unwrap_or(assignment.record),
                        ..assignment
                    });
                }
                SourceEvent::Lost(why) => {
                    world.sleep(world.latency()).await;
                    self.told_lost();
                    return SourceEvent::Lost(why);
                }
                other => return other,
            };
            let number = self.consumer.gives();
            let lost = world.chance(faults.transit);
            if self.lease.is_none() && lost {
                return SourceEvent::Interrupted("the connection broke".into());
            }
            if lost {
                self.lose(&message);
                continue;
            }
            if self.lease.is_some() && !self.follows(number) {
                return SourceEvent::Interrupted("a gap in the sequence".into());
            }
            self.given(&message);
            if world.chance(faults.repeat) {
                self.lock().again.push(message.clone());
            }
            return self.overtaken(SourceEvent::Message(message)).await;
        }
    }

    /// What the bus gives, as long as this owner may take it.
    async fn take(&self) -> SourceEvent {
        let Some(lease) = &self.lease else {
            return self.inner.next().await;
        };
        while lease.is_held() {
            if self.consumer.crashes() != self.crashes {
                return SourceEvent::Interrupted("its server crashed".into());
            }
            let event = tokio::select! {
                biased;
                () = self.consumer.crashed() => continue,
                event = self.inner.next() => event,
                () = self.process.world.sleep_until(lease.ends()) => continue,
            };
            if lease.is_held() {
                return event;
            }
            // What one who stood still is given has a number too: the holder sees the gap.
            if let SourceEvent::Message(_) = event {
                self.consumer.gives();
            }
        }
        SourceEvent::Lost("the lease was not renewed".into())
    }

    /// Whether a message is the next of those that the durable gives out.
    fn follows(&self, number: u64) -> bool {
        let mut way = self.lock();
        let expected = std::mem::replace(&mut way.expected, number + 1);
        expected == number || self.planted.is(Mistake::IgnoreGap)
    }

    /// A message does not arrive; what was asked for it is asked for again.
    fn lose(&self, message: &Message) {
        self.lock().missing.add(message.size());
        let demand = self.lock().demand;
        self.demand(demand);
    }

    /// A message takes its time; without an order another may be there before it.
    async fn overtaken(&self, event: SourceEvent) -> SourceEvent {
        let (world, faults) = (&self.process.world, self.process.ledger.plan.faults);
        if !self.ordered && world.chance(faults.reorder) {
            let next = tokio::select! {
                biased;
                next = self.inner.next() => next,
                () = world.sleep(HELD_UP) => return event,
            };
            let message = matches!(next, SourceEvent::Message(_));
            let (first, second) = if message {
                (next, event)
            } else {
                (event, next)
            };
            self.lock().late.push_back(second);
            return first;
        }
        if world.chance(300) {
            world.sleep(world.latency()).await;
        }
        event
    }

    /// The bus gives a message: to the ledger it must not be one that is held here.
    fn given(&self, message: &Message) {
        let mut book = self.process.ledger.open();
        let Some(&serial) = book.serials.get(&message.position) else {
            return;
        };
        let held = book
            .owners
            .get(&self.process.owner)
            .is_some_and(|watched| watched.held.contains_key(&serial) && !watched.paused);
        if held && self.process.ledger.plan.faults.progress == 0 {
            book.violate(format!(
                "#{serial} comes again while it is held: nobody reported its progress"
            ));
        }
    }

    /// A message that comes again although it is held, or settled; one that was let go comes from the bus itself.
    fn repetition(&self) -> Option<Message> {
        let (ledger, owner) = (&self.process.ledger, self.process.owner);
        if !self.process.world.chance(ledger.plan.faults.repeat) {
            return None;
        }
        let message = self.lock().again.pop()?;
        let book = ledger.open();
        let serial = book.serials.get(&message.position)?;
        let held = book
            .owners
            .get(&owner)
            .is_some_and(|watched| watched.held.contains_key(serial));
        (held || book.fates[*serial].settled).then_some(message)
    }

    fn told_lost(&self) {
        let (ledger, owner) = (&self.process.ledger, self.process.owner);
        ledger.note(|| format!("broker: {owner} has lost {}", self.topic));
        ledger.blame_nobody();
        self.lock().lost = Some(self.process.world.now());
    }

    pub(in crate::sim) fn demand(&self, demand: Demand) {
        let mut way = self.lock();
        way.demand = demand;
        let (more, less) = (way.repeated, way.missing);
        drop(way);
        self.inner.demand(Demand {
            up_to: Count {
                messages: (demand.up_to.messages + less.messages).saturating_sub(more.messages),
                bytes: (demand.up_to.bytes + less.bytes).saturating_sub(more.bytes),
            },
            any_size_after: demand
                .any_size_after
                .and_then(|after| (after + less.messages).checked_sub(more.messages)),
        });
    }

    pub(in crate::sim) async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        let Process { ledger, owner, .. } = self.process.clone();
        if !self.is_held() {
            return self.refuse(position);
        }
        let (lost, refused) = {
            let way = self.lock();
            (way.lost, way.refused.contains(position))
        };
        let rival = self.lease.as_ref().map(|lease| lease.holder());
        {
            let mut book = ledger.open();
            if refused || lost.is_some_and(|lost| lost < book.now) {
                book.violate(format!("{position} is settled by one who has lost it"));
            }
            if let Some(other) = rival.filter(|rival| *rival != Some(owner)) {
                book.violate(format!(
                    "{owner} settles {position}, the lease is with {other:?}"
                ));
            }
        }
        let (inner, consumer, position) = (
            Arc::clone(&self.inner),
            self.consumer.clone(),
            position.clone(),
        );
        let (asked, failures) = (position.clone(), ledger.plan.faults.settle);
        let act = move || {
            if consumer.has_forgotten(&position) {
                return None;
            }
            let settled = inner
                .settle(&position)
                .now_or_never()
                .unwrap_or(Err(SourceError::Lost));
            if settled.is_ok() {
                ledger.settled(owner, &position);
            }
            Some(settled)
        };
        match self.process.ask(failures, act).await {
            Ok(None) if self.planted.is(Mistake::RepeatForgotten) => {
                Err(SourceError::Unavailable("it is not confirmed".into()))
            }
            Ok(None | Some(Err(SourceError::Lost))) => self.refuse(&asked),
            Ok(Some(answer)) => answer,
            Err(why) => Err(SourceError::Unavailable(why.into())),
        }
    }

    fn refuse(&self, position: &Position) -> Result<(), SourceError> {
        self.lock().refused.insert(position.clone());
        Err(SourceError::Lost)
    }

    pub(in crate::sim) fn progress_every(&self) -> Option<Duration> {
        self.inner.progress_every()
    }

    pub(in crate::sim) async fn progress(&self, positions: &[Position]) {
        if !self.is_held() {
            return;
        }
        let (inner, positions) = (Arc::clone(&self.inner), positions.to_vec());
        let act = move || inner.progress(&positions).now_or_never();
        let failures = self.process.ledger.plan.faults.progress;
        // Best effort, as the engine knows.
        let _ = self.process.ask(failures, act).await;
    }

    pub(in crate::sim) async fn pending(&self, log: &str) -> Result<usize, SourceError> {
        let (inner, log) = (Arc::clone(&self.inner), log.to_owned());
        let act = move || {
            inner
                .pending(&log)
                .now_or_never()
                .unwrap_or(Err(SourceError::Lost))
        };
        let failures = self.process.ledger.plan.faults.other;
        let answer = self.process.ask(failures, act).await;
        answer.unwrap_or_else(|why| Err(SourceError::Unavailable(why.into())))
    }

    pub(in crate::sim) async fn lag(&self) -> Result<u64, SourceError> {
        let inner = Arc::clone(&self.inner);
        let lag = move || inner.lag().now_or_never().unwrap_or(Err(SourceError::Lost));
        let failures = self.process.ledger.plan.faults.other;
        let answer = self.process.ask(failures, lag).await;
        answer.unwrap_or_else(|why| Err(SourceError::Unavailable(why.into())))
    }

    pub(in crate::sim) async fn record(
        &self,
        log: &str,
        record: &Record,
    ) -> Result<(), SourceError> {
        if let Some(lease) = &self.lease {
            return match lease.write(record).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(SourceError::Lost),
                Err(why) => Err(SourceError::Unavailable(why.into())),
            };
        }
        let (inner, log, record) = (Arc::clone(&self.inner), log.to_owned(), record.clone());
        let act = move || {
            inner
                .record(&log, &record)
                .now_or_never()
                .unwrap_or(Err(SourceError::Lost))
        };
        let failures = self.process.ledger.plan.faults.other;
        let answer = self.process.ask(failures, act).await;
        answer.unwrap_or_else(|why| Err(SourceError::Unavailable(why.into())))
    }

    pub(in crate::sim) async fn close(&self) {
        // One who lost the lease leaves what it held to run out.
        if self.is_held() {
            self.inner.close().await;
        }
        if let Some(lease) = &self.lease {
            lease.leave().await;
        }
    }
}
