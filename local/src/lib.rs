//! Runs the functions of a `stack.yml` on this machine, without a cluster and without containers.
//!
//! # Layout
//! - [`build`]: functions become programs
//! - [`bus`]: topics in memory, and what becomes of their events
//! - [`process`]: programs become processes that are watched, and drained at the end
//! - [`gateway`]: what `faas-cli` and other functions talk to
//! - [`session`]: all of these together, from start to end
//! - [`stack`]: what the stack file says, in the gateway's words
//! - [`traces`]: the spans that functions send
//! - [`trial`]: sample orders, and what has to become of them
//! - [`doctor`]: what is wrong, and what to do about it
//! - [`cli`]: the commands
//! - [`terminal`]: what a person sees of them

pub mod build;
pub mod bus;
pub mod cli;
pub mod doctor;
pub mod gateway;
pub mod process;
pub mod session;
pub mod stack;
pub mod terminal;
pub mod traces;
pub mod trial;
