//! Delivers topics of a broker to OpenFaaS functions through the gateway, in any language, by the engine of
//! `openfaas-delivery`.
//!
//! - [`cli`]: the commands
//! - [`Config`]: the environment
//! - [`Check`]: whether everything is there that deliveries need
//! - [`gateway`]: which functions there are
//! - [`wanted`]: which of them want a delivery, and what is wrong with the others
//! - [`Connector`]: follows the list and keeps one delivery for each
//! - `redrive`: what became of dead letters is put right
//! - [`Status`]: what health, readiness and the log are told

mod check;
pub mod cli;
mod config;
mod connector;
pub mod gateway;
#[cfg(feature = "kafka")]
mod moving;
mod openfaas;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod prune;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod redrive;
mod server;
mod status;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod terminal;
pub mod wanted;

pub use check::Check;
pub use config::{Config, ConfigError};
pub use connector::Connector;
pub use status::Status;
