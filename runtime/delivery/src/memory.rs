//! The in-memory bus: the broker of the local runner, and the one that the simulator puts its faults around.
//!
//! Topics are made by use. A durable gives each message to one owner, and again when it is neither settled nor reported
//! as in progress for [`Limits::ack_wait`]; as with NATS, a new owner gets new messages before those that a dead one
//! held. Nothing survives the process.

mod bus;
mod format;
mod source;
mod store;

pub use bus::{Bus, Status};
pub use source::MemorySource;
pub use store::Limits;
