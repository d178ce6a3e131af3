//! The way to the function.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Function;
use crate::call::{Call, Outcome};
use crate::sim::process::Process;
use crate::target::Target;

/// The functions as one process reaches them.
pub(in crate::sim) struct Reach {
    pub(in crate::sim) functions: Vec<Function>,
    pub(in crate::sim) process: Process,
}

impl Reach {
    fn function(&self, name: &str) -> Option<&Function> {
        let index = self.process.ledger.plan.function(name)?;
        self.functions.get(index)
    }
}

impl Target for Reach {
    async fn call(&self, call: Call) -> Outcome {
        let Some(function) = self.function(&call.function).cloned() else {
            return Outcome::Refused("nobody listens".into());
        };
        let (to, heard) = oneshot::channel();
        let Process {
            world,
            ledger,
            owner,
            ..
        } = self.process.clone();
        let (process, lost) = (self.process.clone(), world.chance(500));
        let door = ledger.plan.door;
        let way = if door {
            Duration::ZERO
        } else {
            world.latency()
        };
        // What a dead process had just sent may be lost.
        world.after(way, move || {
            if process.is_alive() || !(lost || door) {
                function.arrive(owner, &call, to);
            }
        });
        match heard.await {
            Ok((outcome, given)) => {
                let mut book = ledger.open();
                book.owners.entry(owner).or_default().given.extend(given);
                outcome
            }
            // It never answers.
            Err(_) => std::future::pending().await,
        }
    }

    async fn healthy(&self, _: &str, function: &str) -> bool {
        let world = &self.process.world;
        world.sleep(world.latency()).await;
        self.function(function).is_some_and(Function::reachable)
    }
}
