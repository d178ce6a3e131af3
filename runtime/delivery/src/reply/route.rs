//! Whether replies may go, and where to.

use openfaas_cloudevents::{Error, Event};
use openfaas_telemetry::TraceContext;

use super::{Cause, stamp};
use crate::wiring::Wiring;

/// A reply that may be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// There.
    pub topic: String,
    /// The finished event.
    pub event: Event,
}

/// Why no reply of an answer may be published: the input is a dead letter with this reason.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// A reply is no CloudEvent that could be sent.
    #[error("reply {index} is no valid CloudEvent: {error}")]
    Invalid {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: Error,
    },
    /// The chain is too long.
    #[error("a reply would be hop {hops} of its chain, and the limit is {limit}")]
    TooManyHops {
        /// What its `hopcount` would be.
        hops: u32,
        /// `events.max-hops`.
        limit: u32,
    },
    /// No entry of `events.reply-topic` is for its type.
    #[error("reply {index} has the type `{ty}`, and no reply topic takes that type")]
    NoTopic {
        /// Which, from 0.
        index: usize,
        /// Its type.
        ty: String,
    },
}

/// [Stamps](stamp) the replies of one answer and checks them all: valid, topic, hops.
///
/// # Errors
/// The first reply that may not be published; then none may.
pub fn finish(
    replies: Vec<Event>,
    cause: &Cause,
    wiring: &Wiring,
    span: Option<&TraceContext>,
) -> Result<Vec<Reply>, ReplyError> {
    let replies = stamp(replies, cause, &wiring.function, span);
    check(&replies, cause, wiring.max_hops)?;
    let reply = |(index, event): (usize, Event)| match wiring.replies.route(event.ty()) {
        Some(topic) => Ok(Reply {
            topic: topic.to_owned(),
            event,
        }),
        None => Err(ReplyError::NoTopic {
            index,
            ty: event.ty().to_owned(),
        }),
    };
    replies.into_iter().enumerate().map(reply).collect()
}

/// Checks what can be checked of stamped replies without knowing their topics: that they are valid, and their hops.
///
/// # Errors
/// The first that is not.
pub fn check(replies: &[Event], cause: &Cause, max_hops: u32) -> Result<(), ReplyError> {
    if !replies.is_empty() && cause.next_hop() > max_hops {
        return Err(ReplyError::TooManyHops {
            hops: cause.next_hop(),
            limit: max_hops,
        });
    }
    for (index, reply) in replies.iter().enumerate() {
        reply
            .validate()
            .map_err(|error| ReplyError::Invalid { index, error })?;
    }
    Ok(())
}
