//! NATS JetStream as a broker: durable pull consumers, acks that the server confirms, one owner per ordered durable.
//!
//! Streams belong to the user and are found by subject. What is ours: one durable per function and topic, and the
//! key-value bucket `openfaas` with the leases of ordered durables.

mod acks;
mod auth;
mod broker;
mod bucket;
mod codec;
mod config;
mod connection;
mod consumer;
mod inspect;
mod intake;
mod lease;
mod leavings;
mod letters;
mod notes;
mod publish;
mod pull;
mod record;
mod source;
mod stream;
mod unreadable;

pub use auth::{Auth, Secret, Tls};
pub use broker::Nats;
pub use config::{Config, ConfigError};
pub use letters::NatsLetters;
pub use source::NatsSource;
