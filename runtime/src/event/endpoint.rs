use std::{marker::PhantomData, sync::Arc};

use axum::{body::Body, extract::Request};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use openfaas_cloudevents::{DataError, Event, Limits};
use openfaas_delivery::wrap::{Incoming, receive};

use super::{EventHandler, HandlerFuture, answer, batch, one};
use crate::{
    Context,
    call::{Call, Shared},
    endpoint::{Answering, Endpoint},
};

/// A handler of events and its state.
pub(crate) struct EventEndpoint<H, A, S>(Arc<Typed<H, A, S>>);

struct Typed<H, A, S> {
    handler: H,
    state: S,
    arguments: PhantomData<fn() -> A>,
}

/// A handler of events without its types: what the way to it and back is written against, so that it is compiled once.
pub(super) trait Handle: Send + Sync + 'static {
    /// Runs the handler on one event. `Err`: the data is not what it reads.
    fn handle(&self, event: Event, context: Context) -> Result<HandlerFuture, DataError>;
}

/// What handling an event needs beside the event.
pub(super) struct Surroundings<'a> {
    pub(super) handler: &'a dyn Handle,
    pub(super) shared: Arc<Shared>,
    /// Of the call that brought it.
    pub(super) context: Context,
}

// === impl EventEndpoint ===

impl<H, A, S> EventEndpoint<H, A, S> {
    pub(crate) fn new(handler: H, state: S) -> Self {
        EventEndpoint(Arc::new(Typed {
            handler,
            state,
            arguments: PhantomData,
        }))
    }
}

impl<H, A, S> Handle for Typed<H, A, S>
where
    H: EventHandler<A, S>,
    A: 'static,
    S: Send + Sync + 'static,
{
    fn handle(&self, event: Event, context: Context) -> Result<HandlerFuture, DataError> {
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
        respond(self.0.clone(), request)
    }

    #[cfg(any(feature = "nats", feature = "kafka"))]
    fn deliver(&self, call: &openfaas_delivery::call::Call) -> Option<Answering> {
        Some(super::delivered::deliver(self.0.clone(), call))
    }
}

/// From a request to its events, and from what became of them to the answer.
fn respond(handler: Arc<dyn Handle>, request: Request) -> Answering {
    let (parts, body) = request.into_parts();
    let shared = Call::shared();
    Box::pin(async move {
        let Some(shared) = shared else {
            return answer::outside();
        };
        let surroundings = Surroundings {
            handler: &*handler,
            context: Call::current_with(&parts.headers),
            shared,
        };
        match body.collect().await {
            Ok(body) => surroundings.respond(&parts.headers, body.to_bytes()).await,
            Err(error) => answer::text(
                StatusCode::BAD_REQUEST,
                &format!("the body broke off: {error}"),
            ),
        }
    })
}

// === impl Surroundings ===

impl Surroundings<'_> {
    /// The longest body that is read, in bytes.
    pub(super) fn most(&self) -> usize {
        let whole = self.shared.max_body.whole();
        whole.map_or(usize::MAX, |limit| limit as usize)
    }

    async fn respond(&self, headers: &HeaderMap, body: bytes::Bytes) -> Response<Body> {
        let limits = Limits::default().with_body(self.most());
        let call_id = self.context.call_id();
        match receive(&self.shared.name, call_id, headers, body, &limits) {
            Ok(incoming) => self.handle(incoming).await,
            Err(error) => answer::refused(&error),
        }
    }

    pub(super) async fn handle(&self, incoming: Incoming) -> Response<Body> {
        match incoming {
            Incoming::Event(event) => match one::handle(self, event, one::Came::Alone).await {
                Ok(replies) => answer::replied(&replies),
                Err(failure) => answer::failed(&failure),
            },
            // Boxed, or each event alone would carry what a batch needs.
            Incoming::Batch(events) => answer::batch(&Box::pin(batch::handle(self, events)).await),
        }
    }
}
