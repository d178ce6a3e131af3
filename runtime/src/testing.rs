//! A function in a test: called without a socket, or started on port 0.
//!
//! A handler alone needs nothing of this: it is an async fn, and [`Context::default()`](crate::Context) is all it may
//! want. What is here shows what a caller sees of it.
//!
//! ```
//! # use openfaas_runtime::{Event, Failure, Function, testing};
//! # use serde_json::json;
//! async fn double(event: Event<u32>) -> Result<Event<u32>, Failure> {
//!     Ok(Event::new("number.doubled", event.data() * 2))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let reply = testing::call(Function::event(double), Event::new("number", 21)).await;
//! assert_eq!(reply.status(), 200);
//! assert_eq!(*reply.events::<u32>().unwrap()[0].data(), 42);
//!
//! let wrong = testing::call(Function::event(double), Event::new("number", "many")).await;
//! assert_eq!(wrong.status(), 422);
//! # }
//! ```

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use openfaas_cloudevents::{Event, FromData, IntoData, http::encode, http::encode_batch};
use openfaas_telemetry::{Telemetry, logs::Logs};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    Function, Reply, Result,
    call::Call,
    server::{self, Sockets},
};

/// What a function can be called with in a test: an [`Event`], several (a batch), or an [`http::Request`].
pub trait IntoRequest {
    /// The request it makes.
    fn into_request(self) -> http::Request<Body>;
}

/// A function that listens on a port of its own. Dropped, it is gone at once; [`stop`](Running::stop) drains it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    metrics: SocketAddr,
    client: Client<HttpConnector, Body>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<()>>,
}

/// Calls a function once, without a socket: decoding, handler, answer.
///
/// # Panics
/// If its initialiser fails.
pub async fn call(function: Function, request: impl IntoRequest) -> Reply {
    let (making, parts) = function.into_parts();
    let service = making
        .await
        .unwrap_or_else(|error| panic!("the initialiser failed: {error}"));
    let config = parts.config.unwrap_or_default();
    let mut call = Some(Call {
        shared: Arc::new(server::shared(&config, Telemetry::disabled())),
        deadline: None,
        context: Default::default(),
    });
    let request = request.into_request();
    let mut answering = Call::enter(&mut call, || service.0.call(request));
    let response =
        std::future::poll_fn(|cx| Call::enter(&mut call, || answering.as_mut().poll(cx))).await;
    Reply::read("function", response, None)
        .await
        .unwrap_or_else(|error| panic!("the answer broke off: {error}"))
}

/// A sample event from its JSON, such as a file beside the test holds: `testing::event(include_str!("../events/order.json"))`.
///
/// # Panics
/// If it is no CloudEvent, or its data is not what `T` reads.
pub fn event<T: FromData>(json: &str) -> Event<T> {
    let event = openfaas_cloudevents::json::decode(json.as_bytes().to_vec().into())
        .unwrap_or_else(|error| panic!("not a CloudEvent: {error}"));
    event
        .parse()
        .unwrap_or_else(|error| panic!("not the data that is read here: {error}"))
}

/// Starts a function on a free port of this machine, with the whole function contract around it. It takes its
/// configuration from [`Function::config`], nothing from the environment, and writes no lock file.
///
/// # Panics
/// If no port can be had.
pub async fn start(function: Function) -> Running {
    let (calls, address) = listen().await;
    let (metrics, metrics_address) = listen().await;
    let mut config = function.parts.config.clone().unwrap_or_default();
    config.suppress_lock = true;
    let sockets = Sockets {
        calls,
        metrics: Some(metrics),
    };
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        stopped.await.ok();
    };
    let telemetry = Telemetry::start(config.telemetry.clone());
    let serving = server::serve(
        function,
        config,
        sockets,
        telemetry,
        Logs::disabled(),
        shutdown,
    );
    Running {
        address,
        metrics: metrics_address,
        client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        stop: Some(stop),
        serving: tokio::spawn(serving),
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port of this machine");
    let address = listener
        .local_addr()
        .expect("a socket that listens has an address");
    (listener, address)
}

// === impl Running ===

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Calls it over its socket and reads the whole answer. A request's path is kept, its host is not.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn call(&self, request: impl IntoRequest) -> Reply {
        self.send(self.address, request.into_request()).await
    }

    /// Gets a path.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> Reply {
        self.call(get(path)).await
    }

    /// What it says on its metrics port.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn metrics(&self) -> String {
        self.send(self.metrics, get("/metrics")).await.text()
    }

    async fn send(&self, address: SocketAddr, mut request: http::Request<Body>) -> Reply {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let url = format!("http://{address}{path}");
        *request.uri_mut() = url.parse().expect("an address and a path are a URL");
        let response = self.client.request(request).await;
        let response =
            response.unwrap_or_else(|error| panic!("no answer from {address}: {error:?}"));
        Reply::read("function", response.map(Body::new), None)
            .await
            .unwrap_or_else(|error| panic!("the answer broke off: {error}"))
    }

    /// Asks it to stop, as a SIGTERM would, and waits until it has.
    ///
    /// # Errors
    /// What [`Function::serve`] ended with.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        (&mut self.serving)
            .await
            .unwrap_or_else(|error| panic!("the server broke: {error}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl IntoRequest ===

impl<T: IntoData> IntoRequest for Event<T> {
    /// A POST as a delivery engine sends it. What it lacks of id and source is added.
    fn into_request(self) -> http::Request<Body> {
        let (headers, body) = encode(&complete(self)).expect("an event that can be sent");
        let mut request = post(Body::from(body));
        *request.headers_mut() = headers;
        request
    }
}

impl<T: IntoData> IntoRequest for Vec<Event<T>> {
    /// A POST of a batch.
    fn into_request(self) -> http::Request<Body> {
        let events: Vec<Event> = self.into_iter().map(complete).collect();
        let (headers, body) = encode_batch(&events).expect("events that can be sent");
        let mut request = post(Body::from(body));
        *request.headers_mut() = headers;
        request
    }
}

impl<B: Into<Body>> IntoRequest for http::Request<B> {
    fn into_request(self) -> http::Request<Body> {
        self.map(Into::into)
    }
}

impl IntoRequest for &str {
    /// A POST of text, as `faas-cli invoke` sends it.
    fn into_request(self) -> http::Request<Body> {
        let mut request = post(Body::from(self.to_owned()));
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        request
    }
}

fn get(path: &str) -> http::Request<Body> {
    let mut request = http::Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path that a request can have");
    request
}

fn post(body: Body) -> http::Request<Body> {
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    request
}

fn complete<T: IntoData>(event: Event<T>) -> Event {
    let mut event = event.into_raw().expect("data that can be encoded");
    if event.id().is_empty() {
        event = event.with_id("test");
    }
    if event.source().is_empty() {
        event = event.with_source("/test");
    }
    event
}
