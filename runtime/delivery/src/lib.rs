//! At-least-once delivery: wiring, answers, replies, dead letters and the engine that joins them.
//!
//! What a function itself needs (the identity of its replies, the batch format, what a plain request becomes) is pure and
//! comes without features; the engine and its targets are behind theirs.

pub mod answer;
pub mod batch;
pub mod call;
pub mod duration;
pub mod filter;
pub mod ids;
pub mod reply;
pub mod wiring;
pub mod wrap;
