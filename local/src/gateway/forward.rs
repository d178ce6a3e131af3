//! One call to one process.

use std::{net::SocketAddr, time::Duration};

use axum::body::{Body, HttpBody};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CONNECTION, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use openfaas_delivery::target::http::{HEAD, HEADER_LINES, is_unreadable};
use tokio::time::timeout;

/// Connections to functions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    /// Keeps connections open between calls.
    pool: legacy::Client<HttpConnector, Body>,
    /// How long an answer may take to begin.
    limit: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ForwardError {
    /// The process did not take the call, or went away over it.
    Unreachable,
    /// The answer did not begin in time.
    TooLate,
    /// The answer has more header than is read, or is no HTTP.
    Unreadable,
}

/// A connection that is to become something else than HTTP, such as a WebSocket.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// What it is to become.
    protocol: HeaderValue,
    /// The caller's side, once both agree.
    caller: OnUpgrade,
}

impl From<legacy::Error> for ForwardError {
    fn from(error: legacy::Error) -> Self {
        match is_unreadable(&error) {
            true => Self::Unreadable,
            false => Self::Unreachable,
        }
    }
}

impl Client {
    /// A client whose functions have `limit` until their answers begin.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .http1_max_headers(HEADER_LINES)
            .http1_max_buf_size(HEAD)
            .build(connector);
        Self { pool, limit }
    }

    /// Sends a request to wherever its URL says.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Body>, ForwardError> {
        let answer = timeout(self.limit, self.pool.request(request)).await;
        answer
            .map_err(|_| ForwardError::TooLate)?
            .map_err(ForwardError::from)
            .map(|answer| answer.map(Body::new))
    }

    /// Sends a call whose headers are ready, and streams its body there and its answer back.
    pub(super) async fn forward(
        &self,
        to: SocketAddr,
        path_and_query: &str,
        mut request: Request<Body>,
        upgrade: Option<Upgrade>,
    ) -> Result<Response<Body>, ForwardError> {
        *request.uri_mut() = uri(to, path_and_query).ok_or(ForwardError::Unreachable)?;
        *request.version_mut() = http::Version::HTTP_11;
        if let Some(upgrade) = &upgrade {
            request
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("upgrade"));
            request
                .headers_mut()
                .insert(UPGRADE, upgrade.protocol.clone());
        }
        let request = request.map(of_unknown_length);
        let answer = timeout(self.limit, self.pool.request(request)).await;
        let mut answer = answer.map_err(|_| ForwardError::TooLate)??;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(upgrade) = upgrade
        {
            tokio::spawn(join(upgrade.caller, hyper::upgrade::on(&mut answer)));
        }
        Ok(answer.map(Body::new))
    }
}

impl Upgrade {
    /// What a call wants its connection to become, if anything.
    pub(super) fn of<B>(request: &mut Request<B>) -> Option<Self> {
        let named = |headers: &HeaderMap| {
            let tokens = headers.get(CONNECTION)?.to_str().ok()?;
            tokens
                .split(',')
                .any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
                .then_some(())
        };
        named(request.headers())?;
        let protocol = request.headers().get(UPGRADE)?.clone();
        Some(Self {
            protocol,
            caller: request.extensions_mut().remove::<OnUpgrade>()?,
        })
    }

    /// Adds to an answer that agrees what it becomes.
    pub(super) fn agree(protocol: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }

    /// What the connection is to become.
    pub(super) fn protocol(&self) -> HeaderValue {
        self.protocol.clone()
    }
}

/// Whether a function can be called with this method, as the provider has it.
pub(super) fn is_allowed(method: &Method) -> bool {
    let allowed = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::HEAD,
    ];
    allowed.contains(method)
}

fn uri(to: SocketAddr, path_and_query: &str) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(to.to_string()).ok()?);
    parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
    Uri::from_parts(parts).ok()
}

/// The same body, sent in chunks; one that is empty stays empty.
fn of_unknown_length(body: Body) -> Body {
    if body.is_end_stream() {
        Body::empty()
    } else {
        Body::from_stream(body.into_data_stream())
    }
}

async fn join(caller: OnUpgrade, function: OnUpgrade) {
    if let Ok((caller, function)) = tokio::try_join!(caller, function) {
        let (mut caller, mut function) = (TokioIo::new(caller), TokioIo::new(function));
        // Either side may leave at any time; nobody is left to be told.
        let _ = tokio::io::copy_bidirectional(&mut caller, &mut function).await;
    }
}
