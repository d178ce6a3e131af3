//! One event, alone or of a batch: its span, its context, its replies.

use std::sync::Arc;

use openfaas_cloudevents::Event;
use openfaas_delivery::reply::{Cause, check, stamp};
use openfaas_telemetry::{CallId, EventFacts, Scope, Span, TraceContext};

use super::{Outcome, endpoint::Surroundings};
use crate::{Failure, call::Call};

/// How an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Alone,
    InABatch,
}

/// Handles one event. Its replies come back with their identity, checked: as they may be published.
pub(super) async fn handle(around: &Surroundings<'_>, event: Event, came: Came) -> Outcome {
    let mut span = span(around, &event, came);
    let outcome = run(around, event, &span).await;
    if let Err(failure) = &outcome {
        let kind = if failure.is_retry() {
            "retry"
        } else {
            "rejected"
        };
        span.failure(kind, failure.reason());
    }
    outcome
}

async fn run(around: &Surroundings<'_>, event: Event, span: &Span) -> Outcome {
    let shared = &around.shared;
    let cause = Arc::new(Cause::of(&event, None));
    let context = around
        .context
        .handling(cause.clone(), span.outgoing().cloned());
    let scope = Scope::new(&shared.telemetry, span, CallId::new(context.call_id()));
    let call = Call::of_context(shared.clone(), &context);
    let handling = async {
        let handling = around.handler.handle(event, context);
        handling
            .map_err(|error| Failure::reject(error.to_string()))?
            .await
    };
    let replies = scope.run(call.scope(handling)).await?;
    let replies = stamp(replies, &cause, &shared.name, span.outgoing());
    check(&replies, &cause, shared.gateway.max_hops())
        .map_err(|error| Failure::reject(error.to_string()))?;
    Ok(replies)
}

fn span(around: &Surroundings<'_>, event: &Event, came: Came) -> Span {
    let telemetry = &around.shared.telemetry;
    let facts = EventFacts {
        id: event.id(),
        source: event.source(),
        ty: event.ty(),
        subject: event.subject(),
    };
    let origin = event.text("traceparent").and_then(|traceparent| {
        let tracestate = event.text("tracestate");
        TraceContext::parse(&traceparent, tracestate.as_deref())
    });
    match (Scope::current(), came) {
        (Some(hop), Came::Alone) => telemetry.event_span(hop.context(), origin.as_ref(), &facts),
        (Some(batch), Came::InABatch) => {
            telemetry.batched_event_span(batch.context(), origin.as_ref(), &facts)
        }
        (None, _) => telemetry.span(
            openfaas_telemetry::Kind::Consumer,
            "CloudEvents Process",
            origin.as_ref(),
        ),
    }
}
