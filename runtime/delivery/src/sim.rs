//! The simulator: one seed is one history of engines, their function and their broker, in virtual time.
//!
//! A seed draws the wiring, the events and what the function makes of each, the faults of the broker and the troubles of
//! the whole: crashes between any two steps, hand-overs, outages. The whole engine runs in it, owner and driver, over the
//! in-memory bus behind a bad network. What the broker stores and what the function is called with is written down by
//! themselves, and held against what the engine was to do.

mod broker;
mod function;
mod judge;
mod ledger;
mod plan;
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
