use std::{marker::PhantomData, sync::Arc};

use axum::{body::Body, extract::Request};
use http::{Response, StatusCode};
use openfaas_cloudevents::{Event, Limits};
use openfaas_delivery::{
    reply::{Cause, HOP_LIMIT, check, stamp},
    wrap::{Incoming, receive},
};

use super::{EventHandler, Outcome, answer};
use crate::{
    Context, Failure,
    call::{Call, Shared},
    endpoint::{Answering, Endpoint},
};

/// A handler of events, its state, and the way from a request to it and back.
pub(crate) struct EventEndpoint<H, A, S>(Arc<Inner<H, A, S>>);

struct Inner<H, A, S> {
    handler: H,
    state: S,
    arguments: PhantomData<fn() -> A>,
}

/// A handler without its types: what the rest of the way is written against.
trait Handle: Send + Sync + 'static {
    fn handle(
        &self,
        event: Event,
        context: Context,
    ) -> Result<super::HandlerFuture, openfaas_cloudevents::DataError>;
}

// === impl EventEndpoint ===

impl<H, A, S> EventEndpoint<H, A, S> {
    pub(crate) fn new(handler: H, state: S) -> Self {
        EventEndpoint(Arc::new(Inner {
            handler,
            state,
            arguments: PhantomData,
        }))
    }
}

impl<H, A, S> Handle for Inner<H, A, S>
where
    H: EventHandler<A, S>,
    A: 'static,
    S: Send + Sync + 'static,
{
    fn handle(
        &self,
        event: Event,
        context: Context,
    ) -> Result<super::HandlerFuture, openfaas_cloudevents::DataError> {
        self.handler.call(event, context, &self.state)
    }
}

impl<H, A, S> Endpoint for EventEndpoint<H, A, S>
where
    H: EventHandler<A, S>,
    A: 'static,
    S: Send + Sync + 'static,
{
    fn call(&self, request: Request) -> Answering {
        let handler: Arc<dyn Handle> = self.0.clone();
        Box::pin(respond(handler, request))
    }
}

async fn respond(handler: Arc<dyn Handle>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let context = Call::current_with(&parts.headers);
    let shared = Call::shared();
    let name = shared
        .as_deref()
        .map_or("function", |shared: &Shared| &shared.name);
    let body = match axum::body::to_bytes(body, 10 << 20).await {
        Ok(body) => body,
        Err(error) => return answer::text(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
    };
    match receive(
        name,
        context.call_id(),
        &parts.headers,
        body,
        &Limits::default(),
    ) {
        Ok(Incoming::Event(event)) => match one(&*handler, name, event, &context).await {
            Ok(replies) => answer::replied(&replies),
            Err(failure) => answer::failed(&failure),
        },
        Ok(Incoming::Batch(_)) => answer::text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "batches are not handled",
        ),
        Err(error) => answer::text(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// Handles one event; its replies come back as they are published.
async fn one(handler: &dyn Handle, function: &str, event: Event, context: &Context) -> Outcome {
    let cause = Cause::of(&event, None);
    let context = context.handling(&event, cause.hops, context.trace().cloned());
    let handling = handler
        .handle(event, context)
        .map_err(|error| Failure::reject(error.to_string()))?;
    let replies = stamp(handling.await?, &cause, function, None);
    check(&replies, &cause, HOP_LIMIT).map_err(|error| Failure::reject(error.to_string()))?;
    Ok(replies)
}
