//! What becomes of events over HTTP.

mod answers;
mod batches;
#[path = "../common/mod.rs"]
mod common;
mod help;
mod inputs;
