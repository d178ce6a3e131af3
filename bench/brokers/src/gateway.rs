//! What the connector calls: raw hyper in this process that lists functions as a gateway does and is each of them itself.
//! No Go, no second hop.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openfaas_delivery::batch::{BatchAnswer, Entry};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::broker::{LETTERS, NAMESPACE};
use crate::error::Error;

/// What the output says of it.
pub(crate) const ABOUT: &str =
    "called directly: raw hyper on one thread, which lists the functions and answers for them";

/// A running one; it ends with this process. A clone is the same one.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    /// Its URL.
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    functions: Vec<Value>,
    down: bool,
    /// Calls that were answered …
    calls: u64,
    /// … and their events.
    served: u64,
}

impl Gateway {
    /// Starts one on a thread of its own, without functions.
    pub(crate) async fn start() -> Result<Self, Error> {
        let failed = |source| Error::Io {
            what: "starting the gateway",
            source,
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let gateway = Self {
            url: format!("http://{}", listener.local_addr().map_err(failed)?),
            inner: Arc::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let serving = gateway.clone();
        thread::spawn(move || runtime.block_on(serving.serve(listener)));
        Ok(gateway)
    }

    /// Lists these functions on a topic from now on, and no others.
    pub(crate) fn deploy(&self, functions: &[String], topic: &str, annotations: &[(&str, String)]) {
        let list = |name: &String| {
            let mut all = json!({ "topic": topic, "events.dead-letter-topic": LETTERS });
            for (name, value) in annotations {
                all[name] = json!(value);
            }
            json!({
                "name": name, "namespace": NAMESPACE, "image": "noop", "annotations": all,
                "createdAt": "2026-01-01T00:00:00Z", "replicas": 1,
            })
        };
        self.lock().functions = functions.iter().map(list).collect();
    }

    /// Has no function from now on, as a gateway whose provider finds no pod, or has them again.
    pub(crate) fn down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Events that functions have done so far, some of them perhaps more than once.
    pub(crate) fn served(&self) -> u64 {
        self.lock().served
    }

    /// In so many calls.
    pub(crate) fn calls(&self) -> u64 {
        self.lock().calls
    }

    async fn serve(self, listener: std::net::TcpListener) {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        while let Ok((stream, _)) = listener.accept().await {
            // Or answers wait for acks of TCP.
            let _ = stream.set_nodelay(true);
            let gateway = self.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| gateway.answer(request));
                let connection = http1::Builder::new();
                // Whoever ends is measured no more.
                let _ = connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET {
            return Ok(match head.uri.path() {
                "/system/namespaces" => said(&json!([NAMESPACE])),
                "/system/functions" => said(&json!(self.lock().functions)),
                // Its health.
                _ if self.lock().down => nothing(StatusCode::SERVICE_UNAVAILABLE),
                _ => nothing(StatusCode::OK),
            });
        }
        let batch = head.headers.get("content-type").is_some_and(|media_type| {
            media_type
                .as_bytes()
                .starts_with(b"application/cloudevents-batch")
        });
        let body = body.collect().await.map(|body| body.to_bytes());
        let mut inner = self.lock();
        if inner.down {
            return Ok(nothing(StatusCode::SERVICE_UNAVAILABLE));
        }
        inner.calls += 1;
        if !batch {
            inner.served += 1;
            return Ok(nothing(StatusCode::NO_CONTENT));
        }
        let body = body.unwrap_or_default();
        let events: Vec<IgnoredAny> = serde_json::from_slice(&body).unwrap_or_default();
        inner.served += events.len() as u64;
        let results = events.iter().map(|_| Entry::done()).collect();
        let mut answer = said(&json!(BatchAnswer { results }));
        *answer.status_mut() = BatchAnswer::STATUS;
        Ok(answer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nothing(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn said(value: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(value.to_string()));
    let json = http::HeaderValue::from_static(BatchAnswer::MEDIA_TYPE);
    answer.headers_mut().insert("content-type", json);
    answer
}
