//! The stage: engines that come and go, and what happens to them.

mod message;
mod trouble;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use openfaas_cloudevents::Limits as EventLimits;

use self::message::message;
use super::Report;
use super::broker::{Brokers, FaultyBroker};
use super::function::{Function, Reach};
use super::group::Cluster;
use super::judge::Watcher;
use super::ledger::{Ledger, Serial};
use super::plan::{Kind, Plan, Served};
use super::process::{Body, Process};
use super::world::{Rest, TaskId, World};
use crate::clock::{Clock, Seeded, Time};
use crate::engine::{Control, Delivery, Engine, Planted};
use crate::memory::{Bus, Limits};

/// No history takes longer: sick functions are tried anew each hour.
const LAST: Duration = Duration::from_secs(48 * 3_600);

/// Engines ask their broker that often how much is left.
const MEASURE_EVERY: Duration = Duration::from_secs(60);

/// Nor does it take more steps.
const MOST_POLLS: u64 = 400_000;

#[derive(Clone)]
struct Stage {
    world: World,
    ledger: Ledger,
    plan: Arc<Plan>,
    brokers: Brokers,
    functions: Vec<Function>,
    planted: Planted,
    over: Arc<AtomicBool>,
    runs: Arc<AtomicU64>,
    /// The engine that runs in each place.
    playing: Arc<Mutex<Vec<Option<Playing>>>>,
}

/// A run of an engine.
#[derive(Clone)]
struct Playing {
    task: TaskId,
    /// One per function: who of several listeners wakes first is left to chance, and not to that of the seed.
    controls: Vec<Control>,
    process: Process,
}

impl Playing {
    fn drain(&self) {
        self.controls.iter().for_each(Control::drain);
    }
}

pub(super) fn play(seed: u64, planted: Planted, history: bool) -> Report {
    // Forked, or the sequence of each seed would be that of its neighbour, one step on.
    let mut random = Seeded::new(seed).fork();
    let plan = Arc::new(Plan::draw(&mut random));
    let world = World::new(random.fork());
    let ledger = Ledger::new(world.clone(), Arc::clone(&plan), history);
    let limits = Limits {
        unread: usize::MAX,
        ..Limits::default()
    };
    let partitions = match plan.kind {
        Kind::Partitions(count) => count,
        Kind::Bus | Kind::Leased => 1,
    };
    let cluster = Cluster::new(world.clone(), ledger.clone(), partitions);
    let stage = Stage {
        brokers: Brokers::new(Bus::with_clock(limits, world.clone()), cluster),
        functions: (0..plan.functions.len())
            .map(|index| Function::new(world.clone(), ledger.clone(), index))
            .collect(),
        world: world.clone(),
        ledger: ledger.clone(),
        planted,
        over: Arc::default(),
        runs: Arc::default(),
        playing: Arc::new(Mutex::new(vec![None; plan.engines])),
        plan,
    };
    let cluster = stage.brokers.cluster.clone();
    stage.begin();
    let rest = world.run(Time::from_origin(LAST), MOST_POLLS);
    if rest != Rest::Still {
        ledger.open().violate(format!("it does not end: {rest:?}"));
    }
    for behind in cluster.uncommitted() {
        ledger
            .open()
            .violate(format!("the end is not committed: {behind}"));
    }
    let seconds = world.now().since_origin().as_secs_f64();
    let (violations, history, hash) = ledger.close();
    Report {
        seed,
        violations,
        history,
        hash,
        seconds,
    }
}

impl Stage {
    fn begin(&self) {
        let plan = &self.plan;
        self.ledger.note(|| {
            format!(
                "{:?} {:?} door {} engines {} budget {} {:?}",
                plan.kind, plan.mood, plan.door, plan.engines, plan.budget, plan.faults
            )
        });
        for served in &plan.functions {
            self.ledger.note(|| format!("{served:?}"));
        }
        for serial in 0..self.plan.events.len() {
            let stage = self.clone();
            self.world
                .after(self.plan.events[serial].at, move || stage.publish(serial));
        }
        for place in 0..self.plan.engines {
            self.world.spawn(self.clone().keep_playing(place));
        }
        for trouble in &self.plan.troubles {
            let (stage, what) = (self.clone(), trouble.what);
            self.world.after(trouble.at, move || stage.trouble(what));
        }
        self.world.spawn(self.clone().watch());
    }

    /// Ends the play when nothing is left to do.
    async fn watch(self) {
        let last = self
            .plan
            .troubles
            .iter()
            .map(|trouble| trouble.at)
            .max()
            .unwrap_or_default();
        self.world.sleep(last).await;
        let deadline = Time::from_origin(LAST);
        while !self.is_done() && self.world.now() < deadline {
            self.world.sleep(Duration::from_millis(250)).await;
        }
        self.over.store(true, Ordering::Relaxed);
        for playing in self.lock().iter().flatten() {
            playing.drain();
        }
    }

    fn is_done(&self) -> bool {
        self.ledger.all_done() && self.brokers.cluster.uncommitted().is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Playing>>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an engine in its place, and another whenever that one has ended.
    async fn keep_playing(self, place: usize) {
        while !self.over.load(Ordering::Relaxed) {
            let owner = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
            let controls: Vec<Control> = self.functions.iter().map(|_| Control::new()).collect();
            let process = Process::new(self.world.clone(), self.ledger.clone(), owner);
            let (task, ended) = self
                .world
                .spawn(self.clone().run(process.clone(), controls.clone()));
            if self.plan.door {
                self.functions
                    .iter()
                    .for_each(|function| function.live_in(task));
            }
            self.lock()[place] = Some(Playing {
                task,
                controls,
                process,
            });
            if ended.await.is_err() {
                self.world
                    .sleep(self.world.up_to(Duration::from_secs(2)))
                    .await;
            }
        }
    }

    /// One process: an engine that delivers to every function.
    async fn run(self, process: Process, controls: Vec<Control>) {
        let owner = process.owner;
        self.ledger.begins(owner);
        let body = Body(process.clone());
        let broker = FaultyBroker {
            brokers: self.brokers.clone(),
            process: process.clone(),
            planted: self.planted,
        };
        let target = Reach {
            functions: self.functions.clone(),
            process,
        };
        let watcher = Watcher {
            ledger: self.ledger.clone(),
            owner,
        };
        let engine = Engine::with_clock(broker, target, watcher, self.world.clone())
            .with_budget(self.plan.budget)
            .measured(MEASURE_EVERY);
        let delivery = |served: &Served| Delivery {
            door: self.plan.door,
            timeout: self.plan.timeout,
            limits: EventLimits::default(),
            planted: self.planted,
            ..Delivery::to(served.wiring.clone())
        };
        let mut runs: FuturesUnordered<_> = self
            .plan
            .functions
            .iter()
            .zip(&controls)
            .map(|(served, control)| engine.run_with(delivery(served), control, self.world.fork()))
            .collect();
        while let Some(ended) = runs.next().await {
            self.ledger.drained(owner, ended);
        }
        drop(body);
    }

    fn publish(&self, serial: Serial) {
        let (bus, planned) = (&self.brokers.bus, &self.plan.events[serial]);
        let topic: Arc<str> = Arc::from(self.plan.topic(serial));
        let mut publication = message(serial, planned, &topic, bus);
        if let Kind::Partitions(_) = self.plan.kind {
            let key = planned.key.as_ref();
            publication.key = key.map(|key| key.clone().into_bytes().into());
            let message = self.brokers.cluster.store(&publication, planned.marker);
            return self.ledger.published(serial, message);
        }
        // The bus is large enough for every plan.
        let Ok(stored) = bus.store(&publication) else {
            return;
        };
        let found = bus
            .messages(&topic)
            .into_iter()
            .find(|message| message.position == stored.position);
        if let Some(message) = found {
            self.ledger.published(serial, message);
        }
    }
}
