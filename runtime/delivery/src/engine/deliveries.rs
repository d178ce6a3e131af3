//! One delivery for each function that wants one, as long as it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet};

use super::{Control, Delivery, Ended, Engine};
use crate::broker::Broker;
use crate::clock::{Clock, SystemClock};
use crate::observe::Observer;
use crate::target::Target;
use crate::wiring::Wiring;

/// A function by namespace and name.
type Name = (String, String);

/// The deliveries of one engine, fitted again and again to the functions there are. Needs a tokio runtime.
///
/// Dropped without [`Deliveries::drain`], they end as if their process had died.
pub struct Deliveries<B, T, O = (), C = SystemClock> {
    engine: Engine<B, T, O, C>,
    running: BTreeMap<Name, Running>,
    /// All of them, those that drain included.
    tasks: JoinSet<Ended>,
    /// Who wants to know of those that ended.
    told: Option<UnboundedSender<(Wiring, Ended)>>,
}

/// A function that wants a delivery.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How it is delivered to.
    pub delivery: Delivery,
    /// What its program is known by: with another one, what was found out about the old one is forgotten.
    pub image: String,
}

/// One delivery.
#[derive(Debug)]
struct Running {
    wanted: Wanted,
    /// The way to end it.
    control: Control,
    task: AbortHandle,
}

impl<B: Broker, T: Target, O: Observer, C: Clock> Deliveries<B, T, O, C> {
    /// None yet.
    pub fn new(engine: Engine<B, T, O, C>) -> Self {
        Self {
            engine,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            told: None,
        }
    }

    /// The same, telling of each delivery that ended in order how it did.
    #[must_use]
    pub fn telling(self, told: UnboundedSender<(Wiring, Ended)>) -> Self {
        Self {
            told: Some(told),
            ..self
        }
    }

    /// Begins what is new, drains what is gone or wired in another way, tells a function's delivery of its new image,
    /// and leaves all else alone. One that ended by itself, which only a panic can do, begins again.
    ///
    /// While an older delivery of a function drains, the broker lets the new one wait.
    pub fn fit(&mut self, wanted: impl IntoIterator<Item = Wanted>) {
        while self.tasks.try_join_next().is_some() {}
        let mut stay = BTreeSet::new();
        for wanted in wanted {
            let wiring = &wanted.delivery.wiring;
            let name = (wiring.namespace.clone(), wiring.function.clone());
            stay.insert(name.clone());
            match self.running.get_mut(&name) {
                Some(running) if running.goes_on_with(&wanted.delivery) => {
                    if running.wanted.image != wanted.image {
                        running.wanted.image = wanted.image;
                        running.control.new_image();
                    }
                }
                _ => self.begin(name, wanted),
            }
        }
        self.running.retain(|name, running| {
            let stays = stay.contains(name);
            if !stays {
                running.control.drain();
            }
            stays
        });
    }

    /// Drains all of them, and is done when they are; so many inputs were cut.
    pub async fn drain(mut self) -> usize {
        self.running
            .values()
            .for_each(|running| running.control.drain());
        let mut cut = 0;
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Ended::Cut(inputs)) = ended {
                cut += inputs;
            }
        }
        cut
    }

    /// Begins a delivery in the place of the one that is there.
    fn begin(&mut self, name: Name, wanted: Wanted) {
        let control = Control::new();
        let (engine, listening) = (self.engine.clone(), control.clone());
        let (delivery, told) = (wanted.delivery.clone(), self.told.clone());
        let task = self.tasks.spawn(async move {
            let wiring = delivery.wiring.clone();
            let ended = engine.run(delivery, &listening).await;
            if let Some(told) = told {
                // Who left does not want to know any more.
                let _ = told.send((wiring, ended));
            }
            ended
        });
        let running = Running {
            wanted,
            control,
            task,
        };
        if let Some(old) = self.running.insert(name, running) {
            old.control.drain();
        }
    }
}

impl<B, T, O, C> fmt::Debug for Deliveries<B, T, O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Running {
    fn goes_on_with(&self, delivery: &Delivery) -> bool {
        let old = &self.wanted.delivery;
        !self.task.is_finished() && old.wiring == delivery.wiring && old.timeout == delivery.timeout
    }
}
