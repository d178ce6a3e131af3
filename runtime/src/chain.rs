//! What an event that a function sends of its own takes from the call it is sent in.

use openfaas_cloudevents::Event;
use openfaas_delivery::{
    reply::{ReplyError, check, stamp},
    wrap::function_source,
};
use openfaas_telemetry::{CallId, Span};

use crate::Context;

/// Gives an event its identity: an id and a source if it has none, and what its cause passes on.
pub(crate) fn identify(
    mut event: Event,
    caller: Option<&Context>,
    span: &Span,
    max_hops: u32,
) -> Result<Event, ReplyError> {
    if event.id().is_empty() {
        event = event.with_id(CallId::generate().as_str());
    }
    if event.source().is_empty() {
        event = event.with_source(function_source(caller.map_or("unknown", Context::function)));
    }
    let Some((caller, cause)) = caller.and_then(|caller| Some((caller, caller.cause()?))) else {
        return Ok(event);
    };
    let stamped = stamp(vec![event], cause, caller.function(), span.outgoing());
    check(&stamped, cause, max_hops)?;
    Ok(stamped
        .into_iter()
        .next()
        .expect("as many events as were stamped"))
}
