//! The stage: engines that come and go, and what happens to them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openfaas_cloudevents::{Data, Event, Limits as EventLimits};

use super::Report;
use super::broker::{Away, FaultyBroker, Wire};
use super::function::{Function, Reach};
use super::judge::Watcher;
use super::ledger::{Ledger, OwnerId, Serial};
use super::plan::{Form, INPUT, Nature, Plan, Planned, What};
use super::world::{Rest, TaskId, World};
use crate::broker::{Codec, Header, Publication};
use crate::clock::{Clock, Seeded, Time};
use crate::engine::{Control, Delivery, Engine, Planted};
use crate::memory::{Bus, Limits};
use crate::wiring::Format;

/// No history takes longer: sick functions are tried anew each hour.
const LAST: Duration = Duration::from_secs(48 * 3_600);

/// Nor does it take more steps.
const MOST_POLLS: u64 = 400_000;

#[derive(Clone)]
struct Stage {
    world: World,
    ledger: Ledger,
    plan: Arc<Plan>,
    bus: Bus<World>,
    away: Arc<Away>,
    function: Function,
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
    control: Control,
}

/// Says that an engine is no more, however it ended.
struct Life {
    ledger: Ledger,
    owner: OwnerId,
    alive: Arc<AtomicBool>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Relaxed);
        self.ledger.ends(self.owner);
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
    let stage = Stage {
        bus: Bus::with_clock(limits, world.clone()),
        function: Function::new(world.clone(), ledger.clone()),
        world: world.clone(),
        ledger: ledger.clone(),
        away: Arc::default(),
        planted,
        over: Arc::default(),
        runs: Arc::default(),
        playing: Arc::new(Mutex::new(vec![None; plan.engines])),
        plan,
    };
    stage.begin();
    let rest = world.run(Time::from_origin(LAST), MOST_POLLS);
    if rest != Rest::Still {
        ledger.open().violate(format!("it does not end: {rest:?}"));
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
        self.ledger
            .note(|| format!("{:?} {:?}", self.plan.faults, self.plan.process));
        self.ledger.note(|| format!("{:?}", self.plan.wiring));
        self.ledger.note(|| {
            format!(
                "door {} engines {} calm {}",
                self.plan.door, self.plan.engines, self.plan.calm
            )
        });
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
        while !self.ledger.all_done() && self.world.now() < deadline {
            self.world.sleep(Duration::from_millis(250)).await;
        }
        self.over.store(true, Ordering::Relaxed);
        for playing in self.lock().iter().flatten() {
            playing.control.drain();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Playing>>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an engine in its place, and another whenever that one has ended.
    async fn keep_playing(self, place: usize) {
        while !self.over.load(Ordering::Relaxed) {
            let owner = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
            let control = Control::new();
            let alive = Arc::new(AtomicBool::new(true));
            let (task, ended) =
                self.world
                    .spawn(self.clone().run(owner, control.clone(), Arc::clone(&alive)));
            if self.plan.door {
                self.function.live_in(task);
            }
            self.lock()[place] = Some(Playing { task, control });
            if ended.await.is_err() {
                self.world
                    .sleep(self.world.up_to(Duration::from_secs(2)))
                    .await;
            }
        }
    }

    async fn run(self, owner: OwnerId, control: Control, alive: Arc<AtomicBool>) {
        self.ledger.begins(owner);
        let life = Life {
            ledger: self.ledger.clone(),
            owner,
            alive: Arc::clone(&alive),
        };
        let wire = Wire {
            world: self.world.clone(),
            ledger: self.ledger.clone(),
            owner,
            alive: Arc::clone(&alive),
        };
        let broker = FaultyBroker {
            bus: self.bus.clone(),
            wire,
            away: Arc::clone(&self.away),
        };
        let target = Reach {
            function: self.function.clone(),
            owner,
            alive,
        };
        let watcher = Watcher {
            ledger: self.ledger.clone(),
            owner,
        };
        let engine = Engine::with_clock(broker, target, watcher, self.world.clone())
            .with_budget(self.plan.budget);
        let delivery = Delivery {
            door: self.plan.door,
            timeout: self.plan.timeout,
            limits: EventLimits::default(),
            planted: self.planted,
            ..Delivery::to(self.plan.wiring.clone())
        };
        let ended = engine.run_with(delivery, &control, self.world.fork()).await;
        self.ledger.note(|| format!("engine {owner}: {ended:?}"));
        drop(life);
    }

    fn publish(&self, serial: Serial) {
        let publication = message(serial, &self.plan.events[serial], &self.bus);
        // The bus is large enough for every plan.
        let Ok(stored) = self.bus.store(&publication) else {
            return;
        };
        let found = self
            .bus
            .messages(INPUT)
            .into_iter()
            .find(|message| message.position == stored.position);
        if let Some(message) = found {
            self.ledger.published(serial, message);
        }
    }

    fn trouble(&self, what: What) {
        self.ledger.note(|| format!("trouble: {what:?}"));
        let playing: Vec<Playing> = self.lock().iter().flatten().cloned().collect();
        let some = playing
            .get(self.world.below(playing.len() as u64) as usize)
            .cloned();
        let now = self.world.now();
        match (what, some) {
            (What::Crash(polls), Some(engine)) => {
                self.blame_nobody();
                self.world.kill(engine.task, polls);
            }
            (What::HandOver, Some(engine)) => engine.control.drain(),
            (What::Evict, _) => {
                self.blame_nobody();
                self.bus.evict(&self.plan.wiring.durable(INPUT));
            }
            (What::Outage(long), _) => self.function.outage(long),
            (What::Sickness(long), _) => self.function.sicken(long),
            (What::LettersAway(long), _) => self.away.letters(now + long),
            (What::BrokerAway(long), _) => self.away.all(now + long),
            (What::Retention, _) => self.remove_one(),
            (What::Kill, _) => self.function.die(None),
            (_, None) => {}
        }
    }

    /// In a door an engine that is killed by somebody leaves a record that charges whoever ran alone.
    fn blame_nobody(&self) {
        if self.plan.door {
            for fate in &mut self.ledger.open().fates {
                fate.accidents += 1;
            }
        }
    }

    /// Retention removes a message: one that nobody has seen, or one that is out.
    fn remove_one(&self) {
        let mut book = self.ledger.open();
        let held = |serial: &Serial| {
            book.owners
                .values()
                .any(|watched| watched.held.contains_key(serial))
        };
        let mut unseen = book
            .serials
            .iter()
            .map(|(offset, serial)| (*offset, *serial));
        let found = unseen.rfind(|(_, serial)| !book.fates[*serial].settled && !held(serial));
        if let Some((offset, serial)) = found {
            book.fates[serial].gone = true;
            book.note(|| format!("broker: #{serial} is gone"));
            drop(book);
            self.bus.delete(INPUT, offset);
        }
    }
}

/// The message of a planned event.
fn message(serial: Serial, planned: &Planned, bus: &Bus<World>) -> Publication {
    let text = format!("{serial}/{}", "x".repeat(planned.padding));
    let topic: Arc<str> = Arc::from(INPUT);
    let plain = |headers| Publication {
        topic: Arc::clone(&topic),
        dedup: None,
        key: None,
        headers,
        body: Some(text.clone().into()),
    };
    match planned.form {
        Form::Plain => return plain(vec![Header::new("content-type", "text/plain")]),
        Form::Broken => {
            return plain(vec![
                Header::new("ce-specversion", "1.0"),
                Header::new("ce-id", "1"),
            ]);
        }
        Form::Event | Form::Unwanted => {}
    }
    let ty = if planned.form == Form::Unwanted {
        "unwanted"
    } else {
        "wanted"
    };
    let event = Event::new(ty, Data::text(text.clone()))
        .with_id(&planned.id)
        .with_source("/s");
    let event = match &planned.key {
        Some(key) => event.with_extension("partitionkey", key.as_str()),
        None => event,
    };
    let event = if planned.nature == Nature::Endless {
        event.with_extension("hopcount", 32)
    } else {
        event
    };
    bus.encode(&topic, &event, Format::Binary)
        .unwrap_or_else(|_| plain(Vec::new()))
}
