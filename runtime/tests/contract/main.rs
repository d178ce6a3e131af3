//! The function contract as a caller sees it, over a real socket.

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod deadline;
mod drain;
mod help;
mod limit;
mod metrics;
mod probes;
mod requests;
mod streams;
