//! One OTLP/HTTP endpoint: one connection, kept while it lives.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;

use super::connection;
use crate::config::Export;

/// Most bytes of an answer that are read; a whole partial success is far smaller.
const MAX_ANSWER: usize = 64 * 1024;
const AGENT: &str = concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Sends encoded requests to one endpoint.
pub(crate) struct Client {
    export: Export,
    headers: HeaderMap,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// No connection.
    #[error("{0} cannot be reached: {1}")]
    Connect(Uri, std::io::Error),
    /// The connection broke, or what came was not HTTP.
    #[error("{0} did not answer: {1}")]
    Exchange(Uri, String),
    /// No answer in time.
    #[error("{0} did not answer within {1:?}")]
    Timeout(Uri, Duration),
    /// An answer other than success.
    #[error("{endpoint} answered {status}")]
    Refused {
        endpoint: Uri,
        status: StatusCode,
        /// How long the other side asks to be left alone.
        retry_after: Option<Duration>,
    },
}

impl Client {
    pub(crate) fn new(export: Export) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(CONTENT_TYPE, protobuf);
        if export.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let authority = export
            .endpoint
            .authority()
            .map_or("", |authority| authority.as_str());
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        headers.extend(export.headers.iter().cloned());
        Self {
            export,
            headers,
            connection: None,
        }
    }

    /// What is sent for this request.
    pub(crate) fn body(&self, request: Vec<u8>) -> Bytes {
        if !self.export.gzip {
            return request.into();
        }
        let mut encoder =
            GzEncoder::new(Vec::with_capacity(request.len() / 4), Compression::fast());
        let written = encoder.write_all(&request).and_then(|()| encoder.finish());
        written.map_or_else(|_| Bytes::new(), Bytes::from)
    }

    /// Sends a body once and returns the answer's.
    pub(crate) async fn send(&mut self, body: Bytes) -> Result<Bytes, SendError> {
        let timeout = self.export.timeout;
        match tokio::time::timeout(timeout, self.exchange(body)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.connection = None;
                Err(SendError::Timeout(self.export.endpoint.clone(), timeout))
            }
        }
    }

    /// A connection that was kept may have been closed meanwhile: then a new one is tried at once.
    async fn exchange(&mut self, body: Bytes) -> Result<Bytes, SendError> {
        if let Some(kept) = self.connection.take()
            && !kept.is_closed()
            && let Ok(answer) = self.over(kept, body.clone()).await
        {
            return answer;
        }
        let fresh = self.connect().await?;
        match self.over(fresh, body).await {
            Ok(answer) => answer,
            Err(error) => Err(SendError::Exchange(
                self.export.endpoint.clone(),
                reasons(&error),
            )),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, SendError> {
        let endpoint = &self.export.endpoint;
        let failed = |error| SendError::Connect(endpoint.clone(), error);
        let stream = connection::open(&self.export).await.map_err(failed)?;
        let (sender, driver) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| SendError::Exchange(endpoint.clone(), reasons(&error)))?;
        tokio::spawn(driver);
        Ok(sender)
    }

    async fn over(
        &mut self,
        mut connection: SendRequest<Full<Bytes>>,
        body: Bytes,
    ) -> Result<Result<Bytes, SendError>, hyper::Error> {
        connection.ready().await?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path(&self.export.endpoint);
        *request.headers_mut() = self.headers.clone();
        let response = connection.send_request(request).await?;
        let (head, body) = response.into_parts();
        let answer = Limited::new(body, MAX_ANSWER).collect().await;
        if answer.is_ok() {
            self.connection = Some(connection);
        }
        if !head.status.is_success() {
            return Ok(Err(SendError::Refused {
                endpoint: self.export.endpoint.clone(),
                status: head.status,
                retry_after: retry_after(&head.headers),
            }));
        }
        Ok(Ok(answer.map(|body| body.to_bytes()).unwrap_or_default()))
    }
}

impl SendError {
    /// Whether the same request may be taken later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            _ => true,
        }
    }

    /// How long the other side asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn path(endpoint: &Uri) -> Uri {
    let path = endpoint.path_and_query().cloned();
    path.map_or_else(Uri::default, Uri::from)
}

/// Only the form in seconds: collectors send no other.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// An error with everything below it, on one line.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
