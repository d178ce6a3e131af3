//! What each event of a run is, and what is to become of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The functions of the chain, in its order.
pub const HOPS: [&str; 3] = ["one", "two", "three"];

/// The data of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Which of all events it is.
    pub number: usize,
    /// The key whose events stay in order.
    pub key: usize,
    /// What is to become of it.
    pub fate: Fate,
}

/// What is to become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It goes through the whole chain.
    Pass,
    /// This function rejects it.
    Rejected(usize),
    /// It kills this function, every time.
    Kills(usize),
}

impl Work {
    /// All events of a run, those of a key in their order. Of a hundred one is rejected, and `killers` kill.
    pub(super) fn all(events: usize, keys: usize, killers: usize, seed: u64) -> Vec<Self> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut deadly = BTreeSet::new();
        while deadly.len() < killers.min(events) {
            deadly.insert(random.usize(..events));
        }
        let mut work = |number| {
            let hop = random.usize(..HOPS.len());
            let fate = if deadly.contains(&number) {
                Fate::Kills(hop)
            } else if random.usize(..100) == 0 {
                Fate::Rejected(hop)
            } else {
                Fate::Pass
            };
            let key = number % keys;
            Self { number, key, fate }
        };
        (0..events).map(&mut work).collect()
    }
}

/// The topic that a function takes from; one past the last is where the chain ends.
pub(super) fn topic(hop: usize) -> String {
    format!("chaos.{hop}")
}

/// Where a function's dead letters go.
pub(super) fn letters(hop: usize) -> String {
    openfaas_delivery::wiring::dead_letter_topic(NAMESPACE, HOPS[hop])
}

/// Where the functions live.
pub(super) const NAMESPACE: &str = "openfaas-fn";
