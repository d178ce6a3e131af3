use crate::{BoxError, ConfigError};

/// Why an event is not known to be stored.
///
/// By `?` in a handler of events it becomes a retry, as any error does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Nothing says where topics are.
    #[error(
        "cannot publish to {topic}: the function has no broker; set `events_broker`, or run it under openfaas-local"
    )]
    NoBroker {
        /// The topic as given.
        topic: String,
    },
    /// The environment says it wrongly. A function does not start with such a one.
    #[error("cannot publish to {topic}: {reason}")]
    Config {
        /// The topic as given.
        topic: String,
        /// What is wrong, and what would be right.
        reason: ConfigError,
    },
    /// The event's data cannot be encoded, or it is no event that could be sent.
    #[error("cannot publish to {topic}: the event cannot be encoded: {source}")]
    Encode {
        /// The topic as given.
        topic: String,
        /// What the encoder said.
        source: BoxError,
    },
    /// More functions have passed the event's chain on than a chain may have.
    #[error(
        "not publishing to {topic}: it would be hop {hops} of its chain, and the limit is {limit}"
    )]
    TooManyHops {
        /// The topic not published to.
        topic: String,
        /// What its `hopcount` would have been.
        hops: u32,
        /// What it may be.
        limit: u32,
    },
    /// As things are it is not stored, however often it is tried: too large, or there is no such topic.
    #[error("cannot publish to {topic}: {reason}")]
    Refused {
        /// The topic as given.
        topic: String,
        /// What the broker said.
        reason: String,
    },
    /// It was not confirmed in time; it may be stored all the same.
    #[error("not known to be stored in {topic} by the deadline: {reason}")]
    Unavailable {
        /// The topic as given.
        topic: String,
        /// What was last in the way.
        reason: String,
    },
}

// === impl PublishError ===

impl PublishError {
    /// One word for a span.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            PublishError::NoBroker { .. } => "no_broker",
            PublishError::Config { .. } => "config",
            PublishError::Encode { .. } => "encode",
            PublishError::TooManyHops { .. } => "too_many_hops",
            PublishError::Refused { .. } => "refused",
            PublishError::Unavailable { .. } => "unavailable",
        }
    }
}
