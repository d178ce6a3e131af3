//! The function contract as a caller sees it, over a real socket.

mod answers;
mod deadline;
mod drain;
mod help;
mod limit;
mod metrics;
mod probes;
mod requests;
mod streams;
