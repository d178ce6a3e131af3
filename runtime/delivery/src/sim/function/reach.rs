//! The way to the function.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Function;
use crate::call::{Call, Outcome};
use crate::sim::ledger::OwnerId;
use crate::target::Target;

/// The function as one run of an engine reaches it.
pub(in crate::sim) struct Reach {
    pub(in crate::sim) function: Function,
    pub(in crate::sim) owner: OwnerId,
    /// The engine lives; what a dead one had just sent may be lost.
    pub(in crate::sim) alive: Arc<AtomicBool>,
}

impl Target for Reach {
    async fn call(&self, call: Call) -> Outcome {
        let (to, heard) = oneshot::channel();
        let world = self.function.world.clone();
        let (function, owner, alive) = (self.function.clone(), self.owner, Arc::clone(&self.alive));
        let lost = world.chance(500);
        let door = function.ledger.plan.door;
        let way = if door {
            Duration::ZERO
        } else {
            world.latency()
        };
        world.after(way, move || {
            if alive.load(Ordering::Relaxed) || !(lost || door) {
                function.arrive(owner, &call, to);
            }
        });
        match heard.await {
            Ok((outcome, given)) => {
                let mut book = self.function.ledger.open();
                book.owners.entry(owner).or_default().given.extend(given);
                outcome
            }
            // It never answers.
            Err(_) => std::future::pending().await,
        }
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        let world = self.function.world.clone();
        world.sleep(world.latency()).await;
        self.function.reachable()
    }
}
