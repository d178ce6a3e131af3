use http::StatusCode;

use super::{HEAD, HEADER_LINES};
use crate::BoxError;

/// Why a call to another function gave no answer that can be used.
///
/// By `?` in a handler of events it becomes a retry, as any error does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The name of the function, a header, the path or the callback URL is not one.
    #[error("cannot call {function}: {reason}")]
    Request {
        /// The function as given.
        function: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The body could not be encoded.
    #[error("cannot encode the body for {function}: {source}")]
    Encode {
        /// The function as given.
        function: String,
        /// What the encoder said.
        source: BoxError,
    },
    /// More functions have called one another than a chain may have.
    #[error(
        "not calling {function}: {hops} functions have called one another already, the limit is {limit}"
    )]
    TooManyHops {
        /// The function not called.
        function: String,
        /// How many it would have been.
        hops: u32,
        /// How many there may be.
        limit: u32,
    },
    /// Nothing was left of the caller's own deadline, or the answer did not come within it.
    #[error("no answer from {function} within the deadline")]
    Deadline {
        /// The function called.
        function: String,
    },
    /// The gateway could not be reached, or the connection broke.
    #[error("cannot reach {function} through {gateway}: {source}")]
    Connect {
        /// The function called.
        function: String,
        /// The gateway's address.
        gateway: String,
        /// What the connection said.
        source: BoxError,
    },
    /// The answer is longer than `max_reply`.
    #[error("the answer of {function} is longer than max_reply, {limit} bytes")]
    TooLarge {
        /// The function called.
        function: String,
        /// The longest answer, in bytes.
        limit: usize,
    },
    /// The answer has more header than is read.
    #[error(
        "the answer of {function} has more than {HEADER_LINES} header lines or {} KiB of them",
        HEAD >> 10
    )]
    HeadTooLarge {
        /// The function called.
        function: String,
    },
    /// The function answered something other than 2xx; from [`Reply::ok`](crate::Reply::ok).
    #[error("{function} answered {status}: {text}")]
    Status {
        /// The function called.
        function: String,
        /// Its answer's status.
        status: StatusCode,
        /// The beginning of its answer's body.
        text: String,
    },
    /// The answer's body is not what was asked for.
    #[error("cannot read the answer of {function}: {source}")]
    Decode {
        /// The function called.
        function: String,
        /// What the decoder said.
        source: BoxError,
    },
}

// === impl GatewayError ===

impl GatewayError {
    pub(super) fn deadline(function: &str) -> GatewayError {
        GatewayError::Deadline {
            function: function.to_owned(),
        }
    }

    /// One word for a span.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            GatewayError::Request { .. } => "request",
            GatewayError::Encode { .. } => "encode",
            GatewayError::TooManyHops { .. } => "too_many_hops",
            GatewayError::Deadline { .. } => "timeout",
            GatewayError::Connect { .. } => "connect",
            GatewayError::TooLarge { .. } | GatewayError::HeadTooLarge { .. } => "too_large",
            GatewayError::Status { .. } => "status",
            GatewayError::Decode { .. } => "decode",
        }
    }
}
