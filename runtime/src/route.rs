//! Which route of a router a call took: what a span is named after.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::extract::{MatchedPath, Request};
use http::Response;
use openfaas_telemetry::Scope;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Leaves the route in the answer's extensions, if the call's span is recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoteRoute;

/// One route, which says that it was taken.
#[derive(Debug, Clone)]
pub(crate) struct Noting<V>(V);

pin_project! {
    /// An answer that will say which route it is from.
    pub(crate) struct Noted<F> {
        #[pin]
        answer: F,
        route: Option<MatchedPath>,
    }
}

impl<V> Layer<V> for NoteRoute {
    type Service = Noting<V>;

    fn layer(&self, service: V) -> Noting<V> {
        Noting(service)
    }
}

impl<V, B> Service<Request> for Noting<V>
where
    V: Service<Request, Response = Response<B>>,
{
    type Response = V::Response;
    type Error = V::Error;
    type Future = Noted<V::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), V::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Noted<V::Future> {
        let route = match Scope::is_recorded() {
            true => request.extensions().get().cloned(),
            false => None,
        };
        Noted {
            answer: self.0.call(request),
            route,
        }
    }
}

impl<F, B, E> Future for Noted<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.answer.poll(cx));
        if let (Ok(answer), Some(route)) = (&mut answer, this.route.take()) {
            answer.extensions_mut().insert(route);
        }
        Poll::Ready(answer)
    }
}
