//! What becomes of events over HTTP.

mod answers;
mod batches;
mod help;
mod inputs;
