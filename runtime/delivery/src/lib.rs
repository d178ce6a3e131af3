//! At-least-once delivery: wiring, answers, replies, dead letters and the engine that joins them.
//!
//! What a function itself needs (the identity of its replies, the batch format, what a plain request becomes) is pure and
//! comes without features; the engine and its targets are behind theirs.

pub mod answer;
pub mod batch;
#[cfg(feature = "engine")]
pub mod broker;
pub mod call;
#[cfg(feature = "engine")]
pub mod clock;
#[cfg(feature = "engine")]
pub mod dead_letter;
pub mod duration;
#[cfg(feature = "engine")]
pub mod engine;
pub mod filter;
pub mod ids;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "engine")]
pub mod leavings;
#[cfg(feature = "engine")]
pub mod letters;
#[cfg(feature = "engine")]
pub mod memory;
#[cfg(feature = "engine")]
pub mod metrics;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "engine")]
pub mod observe;
#[cfg(feature = "promises")]
pub mod promises;
pub mod reply;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "engine")]
pub mod target;
pub mod wiring;
pub mod wrap;
