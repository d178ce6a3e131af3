//! What a server knows of a durable's deliveries, and what it has forgotten when it comes back from a crash.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::broker::Position;
use crate::memory::Bus;
use crate::sim::world::World;

/// The deliveries of a durable. A clone is the same.
#[derive(Clone)]
pub(super) struct Consumer {
    bus: Bus<World>,
    durable: Arc<str>,
    state: Arc<Mutex<State>>,
    crashed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// How many messages it has given out, whoever got them.
    sequence: u64,
    /// How often its server came back.
    crashes: u64,
}

impl Consumer {
    pub(super) fn new(bus: &Bus<World>, durable: &Arc<str>) -> Self {
        Self {
            bus: bus.clone(),
            durable: Arc::clone(durable),
            state: Arc::default(),
            crashed: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last message that was given out.
    pub(super) fn sequence(&self) -> u64 {
        self.lock().sequence
    }

    /// One more is given out: its number.
    pub(super) fn gives(&self) -> u64 {
        let mut state = self.lock();
        state.sequence += 1;
        state.sequence
    }

    /// How often its server crashed, and every connection broke.
    pub(super) fn crashes(&self) -> u64 {
        self.lock().crashes
    }

    /// Returns when that happens.
    pub(super) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// Its server crashes, and comes back with what it had last written of this consumer; not where nothing is out.
    pub(super) fn crash(&self, world: &World) -> bool {
        let given = self.bus.given(&self.durable);
        let Some((floor, next)) = given.filter(|(floor, next)| floor < next) else {
            return false;
        };
        self.lock().crashes += 1;
        let older = floor + world.below(next - floor);
        self.bus.restore(&self.durable, older);
        self.crashed.notify_waiters();
        true
    }

    /// Whether its server never gave this out, as far as it knows: it confirms no ack of it.
    pub(super) fn has_forgotten(&self, position: &Position) -> bool {
        let given = self.bus.given(&self.durable);
        given.is_some_and(|(_, next)| position.offset >= next)
    }
}
