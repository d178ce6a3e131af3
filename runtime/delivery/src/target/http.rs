//! Calls over HTTP/1.1: `<gateway>/function/NAME`, or a URL per function.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::response::Parts;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::{Target, request, unwritable};
use crate::answer::is_own;
use crate::call::{Answer, Call, Outcome};

/// Calls functions over HTTP, with connections kept for the next call. Cheap to clone.
///
/// No redirect is followed, no proxy asked, nothing repeated that a function may have seen: only a request of which no byte
/// was written, because its kept connection had closed, goes out on another. What came of it is told as it was seen on the
/// wire.
#[derive(Clone)]
pub struct HttpTarget {
    client: Client<HttpConnector, Full<Bytes>>,
    way: Way,
    /// Calls go to the gateway's queue.
    queued: bool,
    largest: usize,
}

/// How a function is reached.
#[derive(Clone)]
enum Way {
    /// `/function/NAME.NAMESPACE` behind this, without a slash at its end.
    Gateway(Arc<str>),
    /// At a URL of its own.
    Direct(Arc<Resolve>),
}

/// From namespace and function to the URL of that function, without a slash at its end; `None` where it is not there.
pub type Resolve = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

/// A gateway's URL that cannot be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the gateway {url:?} cannot be called: {problem}; write it like http://gateway.openfaas:8080"
)]
pub struct GatewayError {
    /// As it is written.
    pub url: String,
    /// What is wrong.
    pub problem: &'static str,
}

/// How long a connection may take to open; what takes longer is a function that is down, not one that is slow.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a call is kept: shorter than servers keep theirs, so that none is closed on a call.
const IDLE: Duration = Duration::from_secs(10);

/// How long a function may take to say that it is healthy; a gateway may be waking it.
const HEALTH: Duration = Duration::from_secs(10);

/// Where a function takes its calls.
const CALL: &str = "/";

/// Where it says whether it is healthy.
const HEALTH_CHECK: &str = "/_/health";

/// What is kept of an answer where nothing else is said.
const LARGEST: usize = 10 << 20;

/// Header lines that an answer may have.
pub const HEADER_LINES: usize = 1_000;

/// Bytes that they, and what is read of a body at once, may have.
pub const HEAD: usize = 400 << 10;

impl HttpTarget {
    /// Calls through the gateway at `url`.
    ///
    /// # Errors
    /// A URL that is none, or not `http://`.
    pub fn gateway(url: &str) -> Result<Self, GatewayError> {
        let error = |problem| GatewayError {
            url: url.to_owned(),
            problem,
        };
        let parsed: Uri = url.parse().map_err(|_| error("it is no URL"))?;
        if parsed.scheme_str() != Some("http") || parsed.authority().is_none() {
            return Err(error("it does not begin with http:// and a host"));
        }
        if parsed.query().is_some() {
            return Err(error("it has a query"));
        }
        Ok(Self::new(Way::Gateway(url.trim_end_matches('/').into())))
    }

    /// Calls each function at the URL that `resolve` knows, as a gateway and its provider would.
    pub fn direct(resolve: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::new(Way::Direct(Arc::new(resolve)))
    }

    /// The same, calling by way of the gateway's queue (`/async-function`): what the queue has taken is done, and no
    /// answer of a function is ever seen.
    pub fn queued(self) -> Self {
        Self {
            queued: true,
            ..self
        }
    }

    /// The same, keeping at most so many bytes of an answer's body (10 MiB where nothing is said).
    pub fn with_largest_answer(self, bytes: usize) -> Self {
        Self {
            largest: bytes,
            ..self
        }
    }

    fn new(way: Way) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_headers(HEADER_LINES)
            .http1_max_buf_size(HEAD)
            .build(connector);
        Self {
            client,
            way,
            queued: false,
            largest: LARGEST,
        }
    }

    /// The URL of a path of a function, or why there is none.
    fn uri(&self, namespace: &str, function: &str, path: &str) -> Result<Uri, String> {
        let url = match &self.way {
            Way::Gateway(base) => {
                let queued = if self.queued && path == CALL {
                    "async-"
                } else {
                    ""
                };
                let dot = if namespace.is_empty() { "" } else { "." };
                format!("{base}/{queued}function/{function}{dot}{namespace}{path}")
            }
            Way::Direct(resolve) => {
                let gone = || format!("no function {function} is there");
                format!("{}{path}", resolve(namespace, function).ok_or_else(gone)?)
            }
        };
        url.parse().map_err(|_| format!("{url} is no URL"))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Outcome {
        match self.client.request(request).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                self.answer(head, body).await
            }
            Err(error) if error.is_connect() => Outcome::Refused(chain(&error)),
            Err(error) if is_unreadable(&error) => Outcome::Answered(unreadable(&error)),
            Err(error) => Outcome::Cut(chain(&error)),
        }
    }

    async fn answer<B>(&self, mut head: Parts, mut body: B) -> Outcome
    where
        B: BodyExt<Data = Bytes, Error: Error> + Unpin,
    {
        if matches!(self.way, Way::Direct(_)) && !head.status.is_success() {
            // What a provider does, and what tells a function's own empty 404 from a gateway's.
            head.headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("text/plain"));
        }
        let mut answer = Answer::new(head.status, head.headers, Bytes::new());
        let mut joined = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let data = match frame {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => return Outcome::CutShort(chain(&error)),
            };
            if answer.body.len().max(joined.len()) + data.len() > self.largest {
                answer.body = Bytes::new();
                answer.oversized = true;
                return Outcome::Answered(answer);
            }
            if answer.body.is_empty() {
                answer.body = data;
                continue;
            }
            if joined.is_empty() {
                joined.extend_from_slice(&answer.body);
            }
            joined.extend_from_slice(&data);
        }
        if !joined.is_empty() {
            answer.body = joined.freeze();
        }
        Outcome::Answered(answer)
    }
}

impl Target for HttpTarget {
    async fn call(&self, call: Call) -> Outcome {
        let uri = match self.uri(&call.namespace, &call.function, CALL) {
            Ok(uri) => uri,
            Err(reason) => return Outcome::Refused(reason),
        };
        let request = match request(&call, uri) {
            Ok(request) => request.map(Full::new),
            Err(error) => return Outcome::Answered(unwritable(&error)),
        };
        tokio::time::timeout(call.timeout, self.exchange(request))
            .await
            .unwrap_or(Outcome::TimedOut)
    }

    async fn healthy(&self, namespace: &str, function: &str) -> bool {
        let Ok(uri) = self.uri(namespace, function, HEALTH_CHECK) else {
            return false;
        };
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri;
        match tokio::time::timeout(HEALTH, self.exchange(request)).await {
            // One that has no such path is there all the same.
            Ok(Outcome::Answered(answer)) => is_own(&answer) && !answer.status.is_server_error(),
            _ => false,
        }
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match &self.way {
            Way::Gateway(base) => base,
            Way::Direct(_) => "direct",
        };
        f.debug_struct("HttpTarget")
            .field("way", &way)
            .finish_non_exhaustive()
    }
}

/// Whether there is an answer, but none that can be read: of too much header, or no HTTP.
pub fn is_unreadable(error: &legacy::Error) -> bool {
    error
        .source()
        .and_then(|cause| cause.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_parse)
}

/// What stands for such an answer: nothing of it is known, so it is asked for again.
fn unreadable(error: &legacy::Error) -> Answer {
    let body = format!(
        "its answer cannot be read: {}; up to {HEADER_LINES} header lines and {} KiB are",
        chain(error),
        HEAD >> 10
    );
    Answer::new(StatusCode::BAD_GATEWAY, HeaderMap::new(), body)
}

/// An error with what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
