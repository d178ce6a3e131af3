//! Helpers of the tests in this folder.

pub mod chaos;
pub mod connector;
pub mod contract;
pub mod conversation;
pub mod guard;
pub mod guide;
pub mod handler;
pub mod kafka;
pub mod nats;
pub mod runner;
pub mod tools;

/// The guides whose Rust is compiled and run as it stands there.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/events.md")]
    struct Events;
}
