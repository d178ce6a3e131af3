//! The bus: what is published to a topic reaches the functions that hang on it, through the same engine that delivers
//! from NATS and Kafka. Its topics are in memory, or on one of those.
//!
//! - [`Bus`]: topics, and a delivery for each deployed function with wiring
//! - [`topics`]: where topics are
//! - [`Trail`]: what became of every message, for who wants to see it
//! - [`Path`]: one message and all it caused, as a tree
//! - [`letters`]: dead letters, and the way back
//! - [`Doors`]: functions that take their events from the broker themselves

mod deliveries;
mod doors;
pub mod letters;
mod path;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod real;
pub mod topics;
mod trail;

use std::sync::Arc;

use openfaas_cloudevents::Event;
use openfaas_delivery::wiring::Wiring;
use openfaas_delivery::{
    broker::{Position, PublishError, Purpose},
    metrics::DeliveryMetrics,
    target::http::HttpTarget,
};
use openfaas_telemetry::{Telemetry, metrics::Metrics};
use tokio::task::{JoinError, JoinHandle};

use topics::{Topics, Work};

pub use doors::Doors;
pub(crate) use doors::environment;
pub use path::{Attempt, Path, Verdict, Visit};
pub use trail::{Fate, Trail};

use crate::{
    process::{Functions, Spec},
    stack,
};

/// Who delivers, as functions and dead letters are told.
pub const CONNECTOR: &str = "openfaas-local";

/// The bus of a run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    /// Where topics are.
    pub(crate) topics: Arc<dyn Topics>,
    /// What became of it.
    pub trail: Arc<Trail>,
    /// What it counts.
    pub metrics: Metrics,
    /// Who hangs on what.
    pub(crate) functions: Functions,
}

/// The deliveries of a run.
#[derive(Debug)]
pub struct Running(JoinHandle<()>);

impl Bus {
    /// A bus for `functions`.
    #[must_use]
    pub fn new(functions: Functions, topics: Arc<dyn Topics>) -> Self {
        let trail = Arc::new(Trail::new(functions.host.console.clone()));
        Self {
            topics,
            trail,
            metrics: Metrics::new(),
            functions,
        }
    }

    /// Delivers to every function that is deployed, from now until `stop`, by calls through `target`, each with a span.
    pub fn deliver(
        &self,
        target: HttpTarget,
        telemetry: &Telemetry,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Running {
        let seen = Arc::new((self.trail.clone(), DeliveryMetrics::new(&self.metrics)));
        let work = self.topics.deliver(Work {
            bus: self.clone(),
            target,
            seen,
            telemetry: telemetry.clone(),
            stop: Box::pin(stop),
        });
        Running(tokio::spawn(work))
    }

    /// Stores an event in a topic.
    ///
    /// # Errors
    /// When it can be no message, or there is no room for it.
    pub async fn publish(&self, topic: &str, event: &Event) -> Result<Position, PublishError> {
        let position = self.topics.publish(topic, event).await?;
        self.trail.published(&position, topic, event);
        Ok(position)
    }

    /// How a function consumes by a door of its own, if it does.
    pub(crate) fn door(&self, spec: &Spec) -> Option<Wiring> {
        self.topics.doors()?.of(spec)
    }

    /// Every function that consumes now, and whether it does so by a door of its own.
    fn consumers(&self) -> Vec<(Wiring, bool)> {
        let specs = self.functions.all().into_iter();
        let specs = specs.map(|function| function.desired().spec.clone());
        let wiring = |spec: Arc<Spec>| match self.door(&spec) {
            Some(door) => Some((door, true)),
            None => Some((stack::wiring(&spec).ok()??, false)),
        };
        specs.filter_map(wiring).collect()
    }

    /// The functions that hang on a topic now.
    #[must_use]
    pub fn subscribers(&self, topic: &str) -> Vec<String> {
        self.on(topic).map(|(wiring, _)| wiring.function).collect()
    }

    /// Those of them that the runner delivers to.
    fn delivered(&self, topic: &str) -> impl Iterator<Item = String> {
        let delivered = self.on(topic).filter(|(_, door)| !door);
        delivered.map(|(wiring, _)| wiring.function)
    }

    fn on(&self, topic: &str) -> impl Iterator<Item = (Wiring, bool)> {
        let consumers = self.consumers().into_iter();
        consumers.filter(move |(wiring, _)| wiring.topics.iter().any(|name| name == topic))
    }

    /// Makes what a function needs and is not there.
    pub(crate) async fn make(&self, wiring: &Wiring) {
        let inputs = wiring.topics.iter().map(|topic| (&**topic, None));
        let replies = wiring.replies.topics().into_iter();
        let replies = replies.map(|topic| (topic, Some(Purpose::Reply)));
        let letters = [(wiring.dead_letter_topic(), Some(Purpose::DeadLetter))];
        for (topic, purpose) in inputs.chain(replies).chain(letters) {
            if let Err(why) = self.topics.make(topic, purpose).await {
                self.functions.host.console.note(&wiring.function, &why);
            }
        }
    }

    /// A message and all it caused, as far as it is known by now.
    #[must_use]
    pub fn path(&self, position: &Position) -> Option<Path> {
        path::of(self, position)
    }
}

impl Running {
    /// Waits until the deliveries are drained.
    ///
    /// # Errors
    /// When they broke off.
    pub async fn ended(self) -> Result<(), JoinError> {
        self.0.await
    }
}
