//! What a function is once its types are erased: one service from request to answer.

use std::{
    any::Any,
    convert::Infallible,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, body::Body, extract::Request, handler::Handler, response::IntoResponse};
use http::Response;
use tower::{Layer, Service, ServiceExt};

use crate::BoxError;

/// An answer on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// One function, ready to be called. The types of handler, state and layers end here, so that the server is compiled
/// once, in this crate, and not again with each change of a user's function.
pub(crate) trait Endpoint: Send + Sync + 'static {
    /// Begins a call.
    fn call(&self, request: Request) -> Answering;

    /// Begins a call with events that are read already. `None`: it takes requests alone.
    #[cfg(any(feature = "nats", feature = "kafka"))]
    fn deliver(&self, _: &openfaas_delivery::call::Call) -> Option<Answering> {
        None
    }
}

/// The function itself, as the innermost service that a layer wraps.
#[derive(Clone)]
pub struct FunctionService(pub(crate) Arc<dyn Endpoint>);

/// An axum handler and its state.
pub(crate) struct HttpEndpoint<H, T, S> {
    handler: H,
    state: S,
    arguments: PhantomData<fn() -> T>,
}

/// An axum router that has its state.
pub(crate) struct RouterEndpoint(Router);

/// A service that a layer made.
struct LayeredEndpoint<V>(V);

// === impl FunctionService ===

impl FunctionService {
    /// The same function within one more layer.
    pub(crate) fn layered<L>(self, layer: &L) -> FunctionService
    where
        L: Layer<FunctionService>,
        L::Service: Service<Request, Response: IntoResponse, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        FunctionService(Arc::new(LayeredEndpoint(layer.layer(self))))
    }
}

impl Service<Request> for FunctionService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answering = self.0.call(request);
        Box::pin(async move { Ok(answering.await) })
    }
}

impl std::fmt::Debug for FunctionService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FunctionService")
    }
}

// === impl HttpEndpoint ===

impl<H, T, S> HttpEndpoint<H, T, S> {
    pub(crate) fn new(handler: H, state: S) -> Self {
        HttpEndpoint {
            handler,
            state,
            arguments: PhantomData,
        }
    }
}

impl<H, T, S> Endpoint for HttpEndpoint<H, T, S>
where
    H: Handler<T, S> + Sync,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    fn call(&self, request: Request) -> Answering {
        boxed(self.handler.clone().call(request, self.state.clone()))
    }
}

/// An async fn's future comes from axum boxed: it is not boxed again.
fn boxed<F>(future: F) -> Answering
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut future = Some(future);
    match (&mut future as &mut dyn Any).downcast_mut::<Option<Answering>>() {
        Some(boxed) => boxed.take().expect("put there a line above"),
        None => Box::pin(future.expect("put there a line above")),
    }
}

// === impl RouterEndpoint ===

impl RouterEndpoint {
    pub(crate) fn new(router: Router) -> Self {
        RouterEndpoint(router)
    }
}

impl Endpoint for RouterEndpoint {
    fn call(&self, request: Request) -> Answering {
        let answering = self.0.clone().call(request);
        Box::pin(async move { answering.await.unwrap_or_else(|never| match never {}) })
    }
}

// === impl LayeredEndpoint ===

impl<V> Endpoint for LayeredEndpoint<V>
where
    V: Service<Request, Response: IntoResponse, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn call(&self, request: Request) -> Answering {
        let service = self.0.clone();
        Box::pin(async move {
            match service.oneshot(request).await {
                Ok(response) => response.into_response(),
                Err(error) => crate::server::answer::broken_layer(error.into()),
            }
        })
    }
}
