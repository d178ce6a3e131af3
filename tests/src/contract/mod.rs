//! The function contract from outside: a fixture as a process, requests as bytes.

pub mod fixture;
mod process;
mod wire;

pub use process::{Process, Subject};
pub use wire::{Reply, Socket};
