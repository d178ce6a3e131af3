//! The broker of a plan, behind a network that loses, repeats, refuses and lies.

mod bus;
mod consumer;
mod source;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use openfaas_cloudevents::Event;

use self::bus::BusSource;
use self::consumer::Consumer;
pub(super) use self::source::AnySource;
use super::group::{Cluster, GroupSource};
use super::lease::{Bucket, Lease};
use super::plan::{Kind, OUTPUT, REPLY_LIMIT};
use super::process::Process;
use super::world::World;
use crate::broker::{
    Broker, Codec, Decoded, Message, OpenError, Publication, PublishError, Purpose, Source, Stored,
    Subscription,
};
use crate::clock::{Clock, Time};
use crate::dead_letter::NOTES;
use crate::engine::Planted;
use crate::memory::Bus;
use crate::wiring::Format;

/// What there is on the other side of the network. A clone is the same.
#[derive(Clone)]
pub(super) struct Brokers {
    /// All topics but the inputs of a plan with partitions.
    pub(super) bus: Bus<World>,
    pub(super) cluster: Cluster,
    pub(super) bucket: Bucket,
    pub(super) away: Arc<Away>,
    consumers: Arc<Mutex<BTreeMap<Arc<str>, Consumer>>>,
}

/// The broker as one process reaches it.
pub(super) struct FaultyBroker {
    pub(super) brokers: Brokers,
    pub(super) process: Process,
    pub(super) planted: Planted,
}

/// Until when something cannot be stored.
#[derive(Default)]
pub(super) struct Away(Mutex<(Time, Time)>);

impl Brokers {
    pub(super) fn new(bus: Bus<World>, cluster: Cluster) -> Self {
        Self {
            bus,
            cluster,
            bucket: Bucket::default(),
            away: Arc::default(),
            consumers: Arc::default(),
        }
    }

    fn consumer(&self, durable: &Arc<str>) -> Consumer {
        let mut consumers = self
            .consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let new = || Consumer::new(&self.bus, durable);
        let consumer = consumers.entry(Arc::clone(durable)).or_insert_with(new);
        consumer.clone()
    }

    /// The server crashes, and has forgotten some deliveries of this durable when it is back; not where none is out.
    pub(super) fn crash(&self, durable: &str, world: &World) -> bool {
        self.consumer(&Arc::from(durable)).crash(world)
    }
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

impl FaultyBroker {
    async fn open_bus(
        &self,
        subscription: &Subscription,
        lease: Option<Lease>,
    ) -> Result<BusSource, OpenError> {
        // The server gives to whoever asks: one owner at a time is what the lease is for.
        let asked = Subscription {
            ordered: subscription.ordered && lease.is_none(),
            ..subscription.clone()
        };
        let source = self.brokers.bus.open(&asked).await?;
        let inherited = source
            .pending("")
            .now_or_never()
            .and_then(Result::ok)
            .unwrap_or(0);
        let mut book = self.process.ledger.open();
        let line = book.line(self.process.owner, &subscription.topic);
        line.inherited = inherited;
        drop(book);
        let consumer = self.brokers.consumer(&subscription.durable);
        Ok(BusSource::new(
            source,
            subscription,
            &self.process,
            lease,
            consumer,
            self.planted,
        ))
    }
}

impl Broker for FaultyBroker {
    type Source = AnySource;

    async fn open(&self, subscription: &Subscription) -> Result<AnySource, OpenError> {
        let (process, planted) = (&self.process, self.planted);
        let plan = &process.ledger.plan;
        // Until then every delivery of the process has taken its part of the budget.
        process.world.sleep(process.world.latency()).await;
        if process.world.chance(plan.faults.other) {
            return Err(OpenError::Unavailable("not now".into()));
        }
        let lease = match plan.kind {
            Kind::Bus => None,
            Kind::Leased => {
                let durable = &subscription.durable;
                Some(Lease::take(&self.brokers.bucket, durable, process, planted).await)
            }
            Kind::Partitions(_) => {
                let cluster = &self.brokers.cluster;
                let source = GroupSource::join(cluster, subscription, process, planted);
                return Ok(AnySource::Group(source));
            }
        };
        let source = self.open_bus(subscription, lease).await?;
        Ok(AnySource::Bus(Box::new(source)))
    }

    async fn check(&self, topic: &Arc<str>, purpose: Purpose) -> Result<(), OpenError> {
        let Process { world, ledger, .. } = &self.process;
        if world.chance(ledger.plan.faults.other / 4) {
            return Err(OpenError::NotReady(format!(
                "`{topic}` cannot be stored to"
            )));
        }
        self.brokers.bus.check(topic, purpose).await
    }

    async fn publish(&self, what: &Publication) -> Result<Stored, PublishError> {
        let Process {
            world,
            ledger,
            owner,
            ..
        } = self.process.clone();
        let plan = Arc::clone(&ledger.plan);
        let (letters, all) = *self.brokers.away.lock();
        let letter = plan.is_for_letters(&what.topic);
        let now = world.now();
        if now < all || (letter && now < letters) {
            world.sleep(world.latency()).await;
            return Err(PublishError::Unavailable("the store is away".into()));
        }
        let noted = what.headers.iter().any(|header| header.name == NOTES);
        let size = what.body.as_ref().map_or(0, |body| body.len());
        if (&*what.topic == OUTPUT && size > REPLY_LIMIT)
            || (letter && noted && plan.faults.notes_too_large)
        {
            world.sleep(world.latency()).await;
            return Err(PublishError::TooLarge(format!("{size} bytes")));
        }
        let (bus, what) = (self.brokers.bus.clone(), what.clone());
        let act = move || {
            let stored = bus.store(&what)?;
            ledger.stored(owner, &what, stored.duplicate);
            Ok(stored)
        };
        self.process
            .ask(plan.faults.publish, act)
            .await
            .unwrap_or_else(|why| Err(PublishError::Unavailable(why.into())))
    }
}

impl Codec for FaultyBroker {
    fn decode(&self, message: &Message) -> Decoded {
        self.brokers.bus.decode(message)
    }

    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String> {
        self.brokers.bus.encode(topic, event, format)
    }
}
