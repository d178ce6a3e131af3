//! What a call hands on to the calls it makes.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use openfaas_cloudevents::Event;
use openfaas_delivery::{duration, reply::ReplyError};
use openfaas_telemetry::Span;

use super::GatewayError;
use crate::{
    Context,
    call::{X_CALL_ID, X_HOP_COUNT},
    chain,
};

const X_TIMEOUT: HeaderName = HeaderName::from_static("x-timeout");

/// What one call hands on: its id, its deadline, its place in the chain.
#[derive(Debug)]
pub(super) struct Handover<'a> {
    function: &'a str,
    caller: Option<&'a Context>,
    /// How many functions will have called one another.
    hops: u32,
    /// How many may.
    max_hops: u32,
    /// How long to wait; `None`: nobody said.
    pub(super) wait: Option<Duration>,
    /// Nobody waits for the function itself.
    queued: bool,
}

// === impl Handover ===

impl<'a> Handover<'a> {
    /// Refuses a call past the hop limit, or after the caller's deadline.
    pub(super) fn new(
        function: &'a str,
        caller: Option<&'a Context>,
        timeout: Option<Duration>,
        queued: bool,
        max_hops: u32,
    ) -> Result<Handover<'a>, GatewayError> {
        let hops = caller.map_or(0, Context::hops) + 1;
        if hops > max_hops {
            return Err(GatewayError::TooManyHops {
                function: function.to_owned(),
                hops,
                limit: max_hops,
            });
        }
        let left = caller.and_then(Context::remaining);
        let wait = match (timeout, left) {
            (Some(timeout), Some(left)) => Some(timeout.min(left)),
            (timeout, left) => timeout.or(left),
        };
        // Whole milliseconds: what is called ends no later than its caller.
        let wait = wait
            .map(|wait| Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
        if wait.is_some_and(|wait| wait.is_zero()) {
            return Err(GatewayError::deadline(function));
        }
        Ok(Handover {
            function,
            caller,
            hops,
            max_hops,
            wait,
            queued,
        })
    }

    /// Writes what travels in headers.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(X_HOP_COUNT, HeaderValue::from(self.hops));
        let call_id = self
            .caller
            .and_then(|caller| HeaderValue::try_from(caller.call_id()).ok());
        if let Some(call_id) = call_id {
            headers.entry(X_CALL_ID).or_insert(call_id);
        }
        let wait = self.wait.filter(|_| !self.queued);
        if let Some(wait) = wait.and_then(|wait| HeaderValue::try_from(duration::format(wait)).ok())
        {
            headers.insert(X_TIMEOUT, wait);
        }
    }

    /// Gives an event its identity: an id and a source if it has none, and what its cause passes on.
    pub(super) fn identify(&self, event: Event, span: &Span) -> Result<Event, GatewayError> {
        let identified = chain::identify(event, self.caller, span, self.max_hops);
        identified.map_err(|error| match error {
            ReplyError::TooManyHops { hops, limit } => GatewayError::TooManyHops {
                function: self.function.to_owned(),
                hops,
                limit,
            },
            other => GatewayError::Encode {
                function: self.function.to_owned(),
                source: other.into(),
            },
        })
    }
}
