//! The bus: what is published to a topic reaches the functions that hang on it, through the same engine that delivers
//! from NATS and Kafka. Its topics are in memory, or on one of those.
//!
//! - [`Bus`]: topics, and a delivery for each deployed function with wiring
//! - [`topics`]: where topics are
//! - [`Trail`]: what became of every message, for who wants to see it
//! - [`Path`]: one message and all it caused, as a tree
//! - [`letters`]: dead letters, and the way back

mod deliveries;
pub mod letters;
mod path;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod real;
pub mod topics;
mod trail;

use std::sync::Arc;

use openfaas_cloudevents::Event;
use openfaas_delivery::{
    broker::{Position, PublishError},
    metrics::DeliveryMetrics,
    target::http::HttpTarget,
};
use openfaas_telemetry::{Telemetry, metrics::Metrics};
use tokio::task::{JoinError, JoinHandle};

use topics::{Topics, Work};

pub use path::{Attempt, Path, Verdict, Visit};
pub use trail::{Fate, Trail};

use crate::{process::Functions, stack};

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

    /// The functions that hang on a topic now.
    #[must_use]
    pub fn subscribers(&self, topic: &str) -> Vec<String> {
        let hangs_on = |spec: &crate::process::Spec| {
            stack::wiring(spec)
                .ok()
                .flatten()
                .is_some_and(|wiring| wiring.topics.iter().any(|name| name == topic))
        };
        let specs = self
            .functions
            .all()
            .into_iter()
            .map(|function| function.desired().spec.clone());
        specs
            .filter(|spec| hangs_on(spec))
            .map(|spec| spec.service.clone())
            .collect()
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
