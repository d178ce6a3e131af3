//! The engine: one owner per function, driven over a broker, a target, an observer and a clock.
//!
//! The owner decides, the driver does: it performs what the owner puts out and reports how it ended. Nothing here
//! reads a clock, draws a number or spawns a task of its own, so the simulator runs all of it in virtual time.

mod budget;
mod control;
mod deliveries;
mod driver;
pub(crate) mod mistake;
mod opening;
mod owner;
mod spans;

use std::sync::Arc;
use std::time::Duration;

use openfaas_cloudevents::Limits;
use openfaas_telemetry::Telemetry;

pub use self::budget::Budget;
pub use self::control::Control;
pub use self::deliveries::{Deliveries, Wanted};
#[cfg(feature = "mistakes")]
pub use self::mistake::Mistake;
pub use self::mistake::Planted;

use self::owner::Settings;
use self::spans::Tracer;
use crate::broker::Broker;
use crate::clock::{Clock, Random, Seeded, SystemClock};
use crate::observe::Observer;
use crate::target::Target;
use crate::wiring::Wiring;

/// Delivers topics of one broker to functions behind one target. A clone is the same engine.
pub struct Engine<B, T, O = (), C = SystemClock> {
    broker: Arc<B>,
    target: Arc<T>,
    observer: Arc<O>,
    clock: Arc<C>,
    budget: Budget,
    connector: Arc<str>,
    tracer: Option<Tracer>,
    /// How often the observer is told how subscriptions stand.
    measure_every: Option<Duration>,
}

/// A function to deliver to.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its topics, and how it wants them.
    pub wiring: Wiring,
    /// It runs in this process and takes its owner with it when it dies.
    pub door: bool,
    /// The longest a call may take: the shortest limit on the way. Default 60 s.
    pub timeout: Duration,
    /// How long a drain may take before what still runs is cut. Default 25 s.
    pub drain_timeout: Duration,
    /// What is read of replies.
    pub limits: Limits,
    /// A mistake planted for the simulator to find; none, unless the feature `mistakes` put one in.
    pub planted: Planted,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All that ran was finished, all else handed back.
    Drained,
    /// The drain took too long: so many inputs were cut and go back unsettled.
    Cut(usize),
}

impl Delivery {
    /// A function behind a gateway, with every default.
    pub fn to(wiring: Wiring) -> Self {
        Self {
            wiring,
            door: false,
            timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(25),
            limits: Limits::default(),
            planted: Planted::default(),
        }
    }
}

impl<B: Broker, T: Target, O: Observer> Engine<B, T, O> {
    /// An engine on this machine's clock.
    pub fn new(broker: B, target: T, observer: O) -> Self {
        Self::with_clock(broker, target, observer, SystemClock::start())
    }
}

impl<B: Broker, T: Target, O: Observer, C: Clock> Engine<B, T, O, C> {
    /// An engine on this clock.
    pub fn with_clock(broker: B, target: T, observer: O, clock: C) -> Self {
        Self {
            broker: Arc::new(broker),
            target: Arc::new(target),
            observer: Arc::new(observer),
            clock: Arc::new(clock),
            budget: Budget::default(),
            connector: Arc::from("openfaas-delivery"),
            tracer: None,
            measure_every: None,
        }
    }

    /// Who delivers, as functions (`X-Connector`) and dead letters (`by`) are told.
    #[must_use]
    pub fn named(self, connector: &str) -> Self {
        Self {
            connector: Arc::from(connector),
            ..self
        }
    }

    /// With a span for each call, in the trace of its event; `system` is the broker as `messaging.system` has it. Spans
    /// have times and ids of their own: they tell of what the engine does, and change nothing in it.
    #[must_use]
    pub fn traced(self, telemetry: &Telemetry, system: &'static str) -> Self {
        let tracer = telemetry.traces().then(|| Tracer {
            telemetry: telemetry.clone(),
            system,
        });
        Self { tracer, ..self }
    }

    /// Telling the observer that often how each subscription stands, which costs a question to the broker.
    #[must_use]
    pub fn measured(self, every: Duration) -> Self {
        Self {
            measure_every: Some(every),
            ..self
        }
    }

    /// How many bytes of bodies all deliveries of this engine hold together.
    #[must_use]
    pub fn with_budget(self, bytes: usize) -> Self {
        Self {
            budget: Budget::of(bytes),
            ..self
        }
    }

    /// Delivers to one function until `control` says drain, and that is done. Dropped, it is an owner that died: what it
    /// held is unsettled and comes again.
    pub async fn run(&self, delivery: Delivery, control: &Control) -> Ended {
        self.run_with(delivery, control, Seeded::unpredictable())
            .await
    }

    /// The same, with waits drawn from `random`.
    pub async fn run_with(
        &self,
        delivery: Delivery,
        control: &Control,
        random: impl Random,
    ) -> Ended {
        let settings = Settings {
            wiring: Arc::new(delivery.wiring),
            connector: Arc::clone(&self.connector),
            limits: delivery.limits,
            door: delivery.door,
            deadline: delivery.timeout,
            traced: self.tracer.is_some(),
            planted: delivery.planted,
        };
        driver::Driver::new(
            self.clone(),
            settings,
            delivery.drain_timeout,
            Box::new(random),
        )
        .run(control)
        .await
    }
}

impl<B, T, O, C> Clone for Engine<B, T, O, C> {
    fn clone(&self) -> Self {
        Self {
            broker: Arc::clone(&self.broker),
            target: Arc::clone(&self.target),
            observer: Arc::clone(&self.observer),
            clock: Arc::clone(&self.clock),
            budget: self.budget.clone(),
            connector: Arc::clone(&self.connector),
            tracer: self.tracer.clone(),
            measure_every: self.measure_every,
        }
    }
}

impl<B, T, O, C> std::fmt::Debug for Engine<B, T, O, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("connector", &self.connector)
            .finish_non_exhaustive()
    }
}
