//! Replies: who they are, where they go, and whether they may go at all.
//!
//! The runtime [`stamp`]s what it answers over HTTP; the engine stamps the same answer again and changes nothing. The
//! engine then checks all replies of an answer before the first is published.

mod identity;
mod order;
mod route;

pub use identity::{CAUSATION, CORRELATION, Cause, HOPS, PARTITION_KEY, stamp};
pub use order::{order_key, record_key};
pub use route::{Reply, ReplyError, check, finish};

/// How many functions a chain may pass where nothing else is said.
pub const HOP_LIMIT: u32 = 32;

#[cfg(test)]
mod tests;
