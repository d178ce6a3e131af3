//! The call that runs on this thread right now, for whoever asks below it: an extractor, a [`Gateway`](crate::Gateway).
//!
//! Its id and its span are in telemetry's `Scope` beside it.

use std::{
    cell::{OnceCell, RefCell},
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use http::{HeaderMap, HeaderName};
use openfaas_telemetry::{Scope, Telemetry};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{Context, Gateway, Publisher, Secrets, config::MaxBody, server::limit::Limit};

/// Names a call all the way through OpenFaaS.
pub(crate) const X_CALL_ID: HeaderName = HeaderName::from_static("x-call-id");
/// How many functions have called one another so far.
pub(crate) const X_HOP_COUNT: HeaderName = HeaderName::from_static("x-hop-count");
/// Which attempt this is, from a delivery engine; 1 is the first.
pub(crate) const X_DELIVERY_ATTEMPT: HeaderName = HeaderName::from_static("x-delivery-attempt");

thread_local! {
    static CURRENT: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// What a call hands down to its handler. Built for each call, so it owns next to nothing: the [`Context`] is made only
/// when somebody asks for it.
#[derive(Debug)]
pub(crate) struct Call {
    /// What every call of this function shares.
    pub(crate) shared: Arc<Shared>,
    /// When the handler is given up.
    pub(crate) deadline: Option<Instant>,
    /// What was asked for, once it was.
    pub(crate) context: OnceCell<Context>,
}

/// What every call of one function shares.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The function's name.
    pub(crate) name: Arc<str>,
    /// Its secrets.
    pub(crate) secrets: Secrets,
    /// The way to other functions.
    pub(crate) gateway: Gateway,
    /// The way to topics.
    pub(crate) publisher: Publisher,
    /// Its traces and metrics.
    pub(crate) telemetry: Telemetry,
    /// The longest request body.
    pub(crate) max_body: MaxBody,
    /// How many calls run at one time.
    pub(crate) limit: Limit,
}

pin_project! {
    /// A future below a call of its own.
    pub(crate) struct Below<F> {
        call: Option<Call>,
        #[pin]
        future: F,
    }
}

/// Puts back what was current, also when the work panicked.
struct Restore<'a>(&'a mut Option<Call>);

// === impl Call ===

impl Call {
    /// Runs `work` with this as the current call.
    pub(crate) fn enter<R>(call: &mut Option<Call>, work: impl FnOnce() -> R) -> R {
        swap(call);
        let _restore = Restore(call);
        work()
    }

    /// The context of the current call; `None` outside of one.
    pub(crate) fn current() -> Option<Context> {
        CURRENT.with_borrow(|current| current.as_ref().map(|call| call.context(None).clone()))
    }

    /// The context of the current call, which came with these headers; a context of the headers alone outside of one.
    pub(crate) fn current_with(headers: &HeaderMap) -> Context {
        CURRENT.with_borrow(|current| match current {
            Some(call) => call.context(Some(headers)).clone(),
            None => Context::of_headers(headers),
        })
    }

    /// What all calls of the function share; `None` outside of a call.
    pub(crate) fn shared() -> Option<Arc<Shared>> {
        CURRENT.with_borrow(|current| current.as_ref().map(|call| call.shared.clone()))
    }

    fn context(&self, headers: Option<&HeaderMap>) -> &Context {
        self.context
            .get_or_init(|| Context::of_call(self, Scope::current(), headers))
    }

    /// A call whose context is there already.
    pub(crate) fn of_context(shared: Arc<Shared>, context: &Context) -> Call {
        Call {
            shared,
            deadline: context.deadline(),
            context: context.clone().into(),
        }
    }

    /// Runs `future` below this call.
    pub(crate) fn scope<F>(self, future: F) -> Below<F> {
        Below {
            call: Some(self),
            future,
        }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn cancel(&self) {
        if let Some(context) = self.context.get() {
            context.cancel();
        }
    }
}

// === impl Below ===

impl<F: Future> Future for Below<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        Call::enter(this.call, || this.future.poll(cx))
    }
}

// === impl Restore ===

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(call: &mut Option<Call>) {
    CURRENT.with_borrow_mut(|current| mem::swap(current, call));
}
