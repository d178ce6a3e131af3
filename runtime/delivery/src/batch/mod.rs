//! A batch and its answer: 207 and one entry per event.
//!
//! The runtime writes a [`BatchAnswer`]; the engine reads it with [`BatchVerdict::of`].

mod verdict;
mod wire;

pub use verdict::{BatchVerdict, EventVerdict};
pub use wire::{BatchAnswer, Entry};
