//! The simulator: one seed is one history of engines, their functions and their broker, in virtual time.
//!
//! A seed draws a *plan*: which broker, the wiring, the events and what their functions make of each, the faults of the
//! network and the troubles of the whole. The *world* is time, chance and tasks; on the *stage* in it processes come and
//! go, each with a whole engine, owner and driver. They reach the *functions* and one of three *brokers* over a bad
//! network: the in-memory bus, the same under a *lease* as with NATS, or the partitions of a *group* as with Kafka. What
//! the broker stores and what a function is called with goes into the *ledger*, told by themselves, and the *judge* holds
//! what the engine says of itself against that.

mod broker;
mod function;
mod group;
mod judge;
mod lease;
mod ledger;
mod plan;
mod process;
mod stage;
mod world;

use crate::engine::Planted;

/// What came of one seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was wrong; nothing, if all promises were kept.
    pub violations: Vec<String>,
    /// What happened, line by line; empty unless asked for.
    pub history: Vec<String>,
    /// The same for two histories that are the same. Zero unless the history was asked for.
    pub hash: u64,
    /// How long the history took, in virtual seconds.
    pub seconds: f64,
}

/// Plays one seed.
pub fn play(seed: u64, planted: Planted, history: bool) -> Report {
    stage::play(seed, planted, history)
}

/// The first of these seeds that breaks a promise.
pub fn first_broken(seeds: impl IntoIterator<Item = u64>, planted: Planted) -> Option<Report> {
    seeds
        .into_iter()
        .map(|seed| play(seed, planted, false))
        .find(|report| !report.violations.is_empty())
}
