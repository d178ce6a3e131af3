//! Kafka, by librdkafka on threads of its own.
//!
//! [`Kafka`] is the broker, a [`KafkaSource`] one member of a consumer group. Behind it a thread polls librdkafka and does
//! all that may block: it joins and leaves, gives out what the demand allows, and commits. `progress` knows what is
//! finished of a partition, `metadata` writes it into a commit, `start` finds where a partition begins.

mod broker;
mod check;
mod context;
mod copy;
mod format;
mod headers;
mod inspect;
mod leavings;
mod letters;
mod member;
mod metadata;
mod partition;
mod producer;
mod progress;
mod record;
mod security;
mod settings;
mod source;
mod start;
mod transaction;

pub use broker::Kafka;
pub use copy::Copied;
pub use letters::KafkaLetters;
pub use security::{Mechanism, Sasl, Security, Tls};
pub use settings::Settings;
pub use source::KafkaSource;
