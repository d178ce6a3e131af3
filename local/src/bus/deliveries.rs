//! One delivery for each deployed function with wiring, as long as that is so.

use std::{collections::BTreeMap, sync::Arc};

use openfaas_delivery::{
    engine::{Control, Delivery, Engine},
    memory,
    metrics::DeliveryMetrics,
    target::http::HttpTarget,
    wiring::Wiring,
};
use tokio_util::task::TaskTracker;

use super::Trail;
use crate::{process::Functions, stack};

/// The engine of a run.
type LocalEngine = Engine<memory::Bus, HttpTarget, Arc<(Arc<Trail>, DeliveryMetrics)>>;

/// The deliveries of a run.
pub(super) struct Deliveries {
    /// What delivers.
    engine: LocalEngine,
    /// To whom.
    functions: Functions,
    /// Those that run, by function.
    running: BTreeMap<String, Running>,
    /// All of them, those that drain included.
    tasks: TaskTracker,
}

/// One delivery.
struct Running {
    /// How it was begun.
    wiring: Wiring,
    /// Which deployment of the function it knows.
    generation: u64,
    /// The way to end it.
    control: Control,
}

impl Deliveries {
    pub(super) fn new(engine: LocalEngine, functions: Functions) -> Self {
        Self {
            engine,
            functions,
            running: BTreeMap::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Follows what is deployed until `stop`, then drains.
    pub(super) async fn follow(mut self, stop: impl Future<Output = ()>) {
        let mut changes = self.functions.changes();
        tokio::pin!(stop);
        loop {
            changes.mark_unchanged();
            self.fit();
            tokio::select! {
                biased;
                () = &mut stop => break,
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
        self.running
            .values()
            .for_each(|running| running.control.drain());
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn fit(&mut self) {
        let mut wanted = BTreeMap::new();
        for function in self.functions.all() {
            let desired = function.desired();
            if let Ok(Some(wiring)) = stack::wiring(&desired.spec) {
                wanted.insert(wiring.function.clone(), (wiring, desired.generation));
            }
        }
        self.running.retain(|name, running| {
            let stays = wanted
                .get(name)
                .is_some_and(|(wiring, _)| *wiring == running.wiring);
            if !stays {
                running.control.drain();
            }
            stays
        });
        for (name, (wiring, generation)) in wanted {
            match self.running.get_mut(&name) {
                Some(running) if running.generation == generation => {}
                Some(running) => {
                    running.generation = generation;
                    running.control.new_image();
                }
                None => self.begin(name, wiring, generation),
            }
        }
    }

    /// Begins a delivery. While an older one of the same function drains, the bus lets it wait.
    fn begin(&mut self, name: String, wiring: Wiring, generation: u64) {
        let control = Control::new();
        let (engine, told) = (self.engine.clone(), control.clone());
        let delivery = Delivery::to(wiring.clone());
        self.tasks
            .spawn(async move { engine.run(delivery, &told).await });
        self.running.insert(
            name,
            Running {
                wiring,
                generation,
                control,
            },
        );
    }
}
