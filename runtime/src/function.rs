use std::{future::Future, pin::Pin, sync::Arc};

use axum::{Router, extract::Request, handler::Handler, response::IntoResponse};
use tokio::net::TcpListener;
use tower::{Layer, Service};

use crate::{
    BoxError, Config, Result,
    endpoint::{FunctionService, HttpEndpoint, RouterEndpoint},
    event::{EventEndpoint, EventHandler},
    given::{Gives, Nothing},
    route::NoteRoute,
    run,
};

/// One function: a handler, and what surrounds it.
///
/// ```no_run
/// use openfaas_runtime::{Event, Failure, Function};
///
/// #[derive(serde::Deserialize)]
/// struct Order { total: f64 }
/// #[derive(serde::Serialize)]
/// struct Payment { amount: f64 }
///
/// fn main() -> openfaas_runtime::Result<()> {
///     Function::event(handle).run()
/// }
///
/// async fn handle(order: Event<Order>) -> Result<Event<Payment>, Failure> {
///     if order.data().total < 0.0 {
///         return Err(Failure::reject("a negative total"));
///     }
///     Ok(Event::new("payment.requested", Payment { amount: order.data().total }))
/// }
/// ```
///
/// `S` is the state that is still missing: [`run`](Function::run) and [`serve`](Function::serve) want none to be.
#[must_use = "a function does nothing before `run()` or `serve(..)`"]
pub struct Function<S = ()> {
    make: Make<S>,
    pub(crate) parts: Parts,
}

/// Makes the service of its state; what takes time, or can fail, is the initialiser in it.
type Make<S> = Box<dyn FnOnce(S) -> Making + Send>;
pub(crate) type Making = Pin<Box<dyn Future<Output = Result<FunctionService, BoxError>> + Send>>;

/// What surrounds the handler.
#[derive(Default)]
pub(crate) struct Parts {
    /// Instead of the environment's.
    pub(crate) config: Option<Config>,
    /// What `/_/ready` asks.
    pub(crate) ready: Option<ReadyCheck>,
    /// What runs after the last call, in this order.
    pub(crate) hooks: Vec<Hook>,
    /// Whether the handler may read a request's body as it comes; events are read whole.
    pub(crate) streams: bool,
}

pub(crate) type ReadyCheck =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync>;
pub(crate) type Hook = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

// === impl Function ===

impl<S: Clone + Send + Sync + 'static> Function<S> {
    /// A function that answers HTTP requests, by any axum handler.
    ///
    /// ```no_run
    /// # use openfaas_runtime::Function;
    /// Function::http(|| async { "hello" }).run()?;
    /// # Ok::<(), openfaas_runtime::Error>(())
    /// ```
    pub fn http<H, T>(handler: H) -> Function<S>
    where
        H: Handler<T, S> + Sync,
        T: 'static,
    {
        Function::of(true, move |state| {
            FunctionService(Arc::new(HttpEndpoint::new(handler, state)))
        })
    }

    /// A function that answers HTTP requests, by an axum router of several routes.
    pub fn router(router: Router<S>) -> Function<S> {
        Function::of(true, move |state| {
            FunctionService(Arc::new(RouterEndpoint::new(
                router.layer(NoteRoute).with_state(state),
            )))
        })
    }

    /// A function that handles CloudEvents, one at a time; see [`EventHandler`] for what it takes and returns.
    pub fn event<H, A>(handler: H) -> Function<S>
    where
        H: EventHandler<A, S>,
        A: 'static,
    {
        Function::of(false, move |state| {
            FunctionService(Arc::new(EventEndpoint::new(handler, state)))
        })
    }

    fn of(streams: bool, make: impl FnOnce(S) -> FunctionService + Send + 'static) -> Function<S> {
        Function {
            make: Box::new(move |state| {
                let service = make(state);
                Box::pin(async move { Ok(service) })
            }),
            parts: Parts {
                streams,
                ..Parts::default()
            },
        }
    }
}

impl<S: Send + 'static> Function<S> {
    /// The state that the handler takes as `State<S>`.
    pub fn state(self, state: S) -> Function {
        let make = self.make;
        Function {
            make: Box::new(move |()| make(state)),
            parts: self.parts,
        }
    }

    /// Makes the state when the function starts: connections, models, caches.
    ///
    /// It runs while the socket already listens: readiness is 503 until it is done, health no longer than `init_grace`, and
    /// calls that come early wait for it within their own deadline. If it fails, the process exits with code 1.
    pub fn init<F, Fut, E>(self, init: F) -> Function
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let make = self.make;
        Function {
            make: Box::new(move |()| {
                Box::pin(async move {
                    let state = init().await.map_err(Into::into)?;
                    make(state).await
                })
            }),
            parts: self.parts,
        }
    }

    /// Wraps the handler in a tower layer; a later one is outside of those before.
    ///
    /// Layers run within the limit and the deadline, and see what the handler would: for events, the request that carries
    /// them. A layer's error is answered with 500.
    pub fn layer<L>(self, layer: L) -> Function<S>
    where
        L: Layer<FunctionService> + Send + 'static,
        L::Service: Service<Request, Response: IntoResponse, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let make = self.make;
        Function {
            make: Box::new(move |state| {
                let making = make(state);
                Box::pin(async move { Ok(making.await?.layered(&layer)) })
            }),
            parts: self.parts,
        }
    }
}

impl<S> Function<S> {
    /// Asked by `/_/ready`: `Err` is 503 with the error's text. It takes nothing from the limit.
    pub fn ready<F, Fut, E>(mut self, check: F) -> Function<S>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.parts.ready = Some(Arc::new(move || {
            let checking = check();
            Box::pin(async move { checking.await.map_err(Into::into) })
        }));
        self
    }

    /// Runs after the last call, before the process ends, within what is left of `drain_timeout`. Several run in their
    /// order.
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Function<S>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.parts.hooks.push(Box::new(move || Box::pin(hook())));
        self
    }

    /// Uses this instead of the environment.
    pub fn config(mut self, config: Config) -> Function<S> {
        self.parts.config = Some(config);
        self
    }
}

impl<S: Send + 'static> Function<S> {
    /// Reads the environment and serves until SIGTERM or SIGINT; returns once all is drained.
    ///
    /// Understands the flags `-run-healthcheck` and `-version`, also with two dashes, and does only that then.
    ///
    /// # Errors
    /// One sentence: a value of the environment that is not right, a port that is taken, an initialiser that failed.
    pub fn run(self) -> Result<()>
    where
        Nothing: Gives<S>,
    {
        run::run(self.state(Nothing.give()))
    }

    /// The same on a socket and until a moment of the caller's choosing: how a test runs it on port 0.
    ///
    /// # Errors
    /// As [`run`](Function::run).
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()>
    where
        Nothing: Gives<S>,
    {
        run::serve(self.state(Nothing.give()), listener, shutdown).await
    }
}

impl Function {
    /// Runs the initialiser and makes the service.
    pub(crate) fn into_parts(self) -> (Making, Parts) {
        ((self.make)(()), self.parts)
    }
}

impl<S> std::fmt::Debug for Function<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function")
            .field("config", &self.parts.config)
            .field("ready", &self.parts.ready.is_some())
            .field("hooks", &self.parts.hooks.len())
            .finish_non_exhaustive()
    }
}
