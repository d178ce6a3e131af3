use std::{convert::Infallible, fmt, io, sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use openfaas_delivery::reply::Cause;
use openfaas_telemetry::{CallId, Scope, Telemetry, TraceContext};
use tokio::time::Instant;

use crate::{
    Gateway, Publisher, Secrets,
    call::{Call, X_CALL_ID, X_DELIVERY_ATTEMPT, X_HOP_COUNT},
    cancel::Cancel,
};

/// What surrounds a call: its id, deadline, attempt, trace, secrets, and the way to other functions.
///
/// A handler of events takes it after the event, an HTTP handler as an extractor. In a unit test
/// `Context::default()` is all there is to it, or a builder method of it:
///
/// ```
/// # use openfaas_runtime::Context;
/// let context = Context::default().with_attempt(3);
/// assert_eq!(context.attempt(), 3);
/// assert!(context.deadline().is_none() && !context.is_cancelled());
/// ```
///
/// Cheap to clone; a clone may outlive the call.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    call_id: CallId,
    attempt: u32,
    deadline: Option<Instant>,
    cancel: Cancel,
    trace: Option<TraceContext>,
    /// How many functions called one another before this one.
    hops: u32,
    /// What the event that is handled passes on to those it causes.
    cause: Option<Arc<Cause>>,
    /// The function's name.
    function: Arc<str>,
    secrets: Secrets,
    gateway: Gateway,
    publisher: Publisher,
    telemetry: Telemetry,
}

// === impl Context ===

impl Context {
    /// `X-Call-Id`, which OpenFaaS gives every call; a new one where the caller gave none.
    pub fn call_id(&self) -> &str {
        self.0.call_id.as_str()
    }

    /// Which attempt at this event it is; the first is 1. A call that no delivery engine makes is always the first.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// When the handler is dropped if it has not answered: the shorter of `exec_timeout` and the caller's `X-Timeout`.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The name of this function.
    pub fn function(&self) -> &str {
        &self.0.function
    }

    /// What is left until the [`deadline`](Context::deadline), nothing once it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether nobody waits for the answer any more: the deadline has passed, the caller has left, or the drain ended.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// Returns once nobody waits for the answer any more.
    ///
    /// The handler itself is simply dropped where it awaits; this is for what it has spawned.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    pub async fn cancelled(&self) {
        self.0.cancel.cancelled().await;
    }

    /// The span of this call, which whatever it calls becomes a child of; `None` where nobody traces.
    pub fn trace(&self) -> Option<&TraceContext> {
        self.0.trace.as_ref()
    }

    /// A secret that the function was deployed with, read now, without the line end.
    ///
    /// # Errors
    /// There is none of this name; the error names its path.
    pub fn secret(&self, name: &str) -> io::Result<String> {
        self.0.secrets.read(name)
    }

    /// Calls other functions in this one's trace, under its call id, within what is left of its deadline.
    pub fn gateway(&self) -> Gateway {
        self.0.gateway.clone().within(self.clone())
    }

    /// Publishes events to topics, in this one's trace and chain, within what is left of its deadline.
    pub fn publisher(&self) -> Publisher {
        self.0.publisher.clone().within(self.clone())
    }

    /// What the event that is handled passes on to those it causes; `None` for a plain request.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.0.cause.as_deref()
    }

    /// How many functions called one another before this one.
    pub(crate) fn hops(&self) -> u32 {
        self.0.hops
    }

    /// Who its spans go to.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    pub(crate) fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// The context of a call, with the headers it came with where they are still at hand.
    pub(crate) fn of_call(
        call: &Call,
        scope: Option<Scope>,
        headers: Option<&HeaderMap>,
    ) -> Context {
        Context(Arc::new(Inner {
            trace: scope.as_ref().and_then(Scope::outgoing).cloned(),
            call_id: scope.map_or_else(CallId::generate, |scope| scope.call_id().clone()),
            attempt: headers.map_or(1, attempt),
            deadline: call.deadline,
            cancel: Cancel::default(),
            hops: headers.map_or(0, hops),
            cause: None,
            function: call.shared.name.clone(),
            secrets: call.shared.secrets.clone(),
            gateway: call.shared.gateway.clone(),
            publisher: call.shared.publisher.clone(),
            telemetry: call.shared.telemetry.clone(),
        }))
    }

    /// The context of a request that did not come through a function's own server.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Context {
        let mut context = Context::default();
        let inner = context.edit();
        if let Some(id) = headers.get(X_CALL_ID).and_then(|id| id.to_str().ok()) {
            inner.call_id = CallId::new(id);
        }
        inner.attempt = attempt(headers);
        inner.hops = hops(headers);
        inner.trace = TraceContext::from_headers(headers);
        context
    }

    /// The same call, handling this event.
    pub(crate) fn handling(&self, cause: Arc<Cause>, trace: Option<TraceContext>) -> Context {
        let mut context = self.clone();
        let inner = context.edit();
        inner.hops = inner.hops.max(cause.hops);
        inner.cause = Some(cause);
        inner.trace = trace;
        context
    }

    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

/// For tests.
impl Context {
    /// The same context under another call id.
    #[must_use]
    pub fn with_call_id(mut self, call_id: &str) -> Context {
        self.edit().call_id = CallId::new(call_id);
        self
    }

    /// The same context at another attempt.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Context {
        self.edit().attempt = attempt;
        self
    }

    /// The same context with this much time left.
    #[must_use]
    pub fn with_remaining(mut self, remaining: Duration) -> Context {
        self.edit().deadline = Some(Instant::now() + remaining);
        self
    }

    /// The same context with secrets of its own.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Secrets) -> Context {
        self.edit().secrets = secrets;
        self
    }

    /// The same context with another gateway to call functions through.
    #[must_use]
    pub fn with_gateway(mut self, gateway: Gateway) -> Context {
        self.edit().gateway = gateway;
        self
    }

    /// The same context with another way to topics.
    #[must_use]
    pub fn with_publisher(mut self, publisher: Publisher) -> Context {
        self.edit().publisher = publisher;
        self
    }
}

impl Default for Context {
    /// A first attempt without a deadline, under a call id of its own, in no trace.
    fn default() -> Context {
        Context(Arc::new(Inner {
            call_id: CallId::generate(),
            attempt: 1,
            deadline: None,
            cancel: Cancel::default(),
            trace: None,
            hops: 0,
            cause: None,
            function: "function".into(),
            secrets: Secrets::from_env(),
            gateway: Gateway::from_env(),
            publisher: Publisher::from_env(),
            telemetry: Telemetry::disabled(),
        }))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("call_id", &self.0.call_id)
            .field("attempt", &self.0.attempt)
            .field("remaining", &self.remaining())
            .field("cancelled", &self.is_cancelled())
            .field("trace", &self.0.trace)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Context, Infallible> {
        Ok(Call::current_with(&parts.headers))
    }
}

fn attempt(headers: &HeaderMap) -> u32 {
    number(headers, &X_DELIVERY_ATTEMPT).unwrap_or(1).max(1)
}

fn hops(headers: &HeaderMap) -> u32 {
    number(headers, &X_HOP_COUNT).unwrap_or(0)
}

fn number(headers: &HeaderMap, name: &http::HeaderName) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
