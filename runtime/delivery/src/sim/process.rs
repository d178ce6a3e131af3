//! A process in which an engine runs: it lives until it dies, and may stand still in between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ledger::{Ledger, OwnerId};
use super::world::World;
use crate::clock::{Clock, Time};

/// How long an answer that never comes is waited for.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// A process, and its way to the broker. A clone is the same process.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) world: World,
    pub(super) ledger: Ledger,
    pub(super) owner: OwnerId,
    life: Arc<Mutex<Life>>,
}

struct Life {
    alive: bool,
    /// It stands still until then.
    paused: Time,
}

/// Says that a process is no more, however it ended.
pub(super) struct Body(pub(super) Process);

impl Process {
    pub(super) fn new(world: World, ledger: Ledger, owner: OwnerId) -> Self {
        let life = Life {
            alive: true,
            paused: Time::default(),
        };
        Self {
            world,
            ledger,
            owner,
            life: Arc::new(Mutex::new(life)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.lock().alive
    }

    /// It stands still for so long: its tasks are for the world to pause.
    pub(super) fn pause(&self, long: Duration) {
        let until = self.world.now() + long;
        let mut life = self.lock();
        life.paused = until.max(life.paused);
    }

    /// When it goes on, if it stands still.
    pub(super) fn goes_on(&self) -> Option<Time> {
        let until = self.lock().paused;
        (until > self.world.now()).then_some(until)
    }

    /// Asks for something: the request may be lost, refused or done, and its answer may be lost too. What a dead process
    /// had just sent may arrive or not.
    pub(super) async fn ask<T: Send + 'static>(
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
        let (to, answer) = tokio::sync::oneshot::channel();
        let (process, lost) = (self.clone(), world.chance(500));
        world.after(world.latency(), move || {
            if process.is_alive() || !lost {
                let (done, world) = (act(), process.world);
                world.after(world.latency(), move || drop(to.send(done)));
            }
        });
        if deaf {
            world.sleep(GIVEN_UP).await;
            return Err("no acknowledgement came");
        }
        answer.await.map_err(|_| "the connection is gone")
    }

    /// Sends something and does not wait: it arrives, or is lost.
    pub(super) fn send(&self, failures: u64, act: impl FnOnce() + Send + 'static) {
        let world = &self.world;
        if !world.chance(failures) {
            world.after(world.latency(), act);
        }
    }

    /// Does something every so often, as long as it says so; not while the process stands still.
    pub(super) fn every(&self, wait: Duration, act: impl Fn() -> bool + Send + 'static) {
        self.tick(wait, wait, act);
    }

    fn tick(&self, first: Duration, wait: Duration, act: impl Fn() -> bool + Send + 'static) {
        let process = self.clone();
        self.world.after(first, move || {
            if !process.is_alive() {
                return;
            }
            match process.goes_on() {
                Some(until) => {
                    let rest = until.since(process.world.now());
                    process.tick(rest, wait, act);
                }
                None if act() => process.tick(wait, wait, act),
                None => {}
            }
        });
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.lock().alive = false;
        self.0.ledger.ends(self.0.owner);
    }
}
