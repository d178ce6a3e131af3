use std::{future::Future, pin::Pin};

use axum::extract::{FromRef, State};
use openfaas_cloudevents::{DataError, Event, FromData};

use super::{IntoOutcome, Outcome};
use crate::Context;

/// A running handler.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// An async function over one CloudEvent.
///
/// Implemented for `async fn`s and closures of these shapes; it is not meant to be implemented by hand:
///
/// ```text
/// async fn(Event<T>)                     -> R
/// async fn(Event<T>, Context)            -> R
/// async fn(State<S>, Event<T>)           -> R
/// async fn(State<S>, Event<T>, Context)  -> R
/// ```
///
/// `T` is what the event's data is read into: any `serde::de::DeserializeOwned` (a type of yours, `serde_json::Value`),
/// or [`Data`](crate::Data) for the bytes as they came. `S` is what `state` or `init` gave, or a part of it by
/// [`FromRef`]. `R` is anything that implements [`IntoOutcome`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of events",
    label = "not a handler of events",
    note = "write `async fn(Event<T>) -> R`; before the event may stand `State<S>`, after it `Context`",
    note = "`T` implements `serde::de::DeserializeOwned` or is `openfaas_runtime::Data`; `S` is what `.state(..)` or `.init(..)` gives",
    note = "`R` is `()`, `Event<U>`, `Option<Event<U>>`, `Vec<Event<U>>` or a `Result` of one of these, and the future is `Send`"
)]
pub trait EventHandler<Args, S>: Clone + Send + Sync + 'static {
    /// Runs the handler on one event. `Err`: the data is not what the handler reads.
    fn call(&self, event: Event, context: Context, state: &S) -> Result<HandlerFuture, DataError>;
}

/// Reads the event's data into what the handler takes.
fn read<T: FromData>(event: Event) -> Result<Event<T>, DataError> {
    let data = T::from_data(event.data(), event.datacontenttype())?;
    Ok(event.map_data(|_| data))
}

// === impl EventHandler ===

impl<F, Fut, T, S> EventHandler<(Event<T>,), S> for F
where
    F: Fn(Event<T>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
    T: FromData,
{
    fn call(&self, event: Event, _: Context, _: &S) -> Result<HandlerFuture, DataError> {
        let running = self(read(event)?);
        Ok(Box::pin(async move { running.await.into_outcome() }))
    }
}

impl<F, Fut, T, S> EventHandler<(Event<T>, Context), S> for F
where
    F: Fn(Event<T>, Context) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
    T: FromData,
{
    fn call(&self, event: Event, context: Context, _: &S) -> Result<HandlerFuture, DataError> {
        let running = self(read(event)?, context);
        Ok(Box::pin(async move { running.await.into_outcome() }))
    }
}

impl<F, Fut, A, T, S> EventHandler<(State<A>, Event<T>), S> for F
where
    F: Fn(State<A>, Event<T>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
    A: FromRef<S>,
    T: FromData,
{
    fn call(&self, event: Event, _: Context, state: &S) -> Result<HandlerFuture, DataError> {
        let running = self(State(A::from_ref(state)), read(event)?);
        Ok(Box::pin(async move { running.await.into_outcome() }))
    }
}

impl<F, Fut, A, T, S> EventHandler<(State<A>, Event<T>, Context), S> for F
where
    F: Fn(State<A>, Event<T>, Context) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output: IntoOutcome> + Send + 'static,
    A: FromRef<S>,
    T: FromData,
{
    fn call(&self, event: Event, context: Context, state: &S) -> Result<HandlerFuture, DataError> {
        let running = self(State(A::from_ref(state)), read(event)?, context);
        Ok(Box::pin(async move { running.await.into_outcome() }))
    }
}
