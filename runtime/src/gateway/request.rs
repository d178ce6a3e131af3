use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_TYPE, USER_AGENT},
};
use http_body_util::{Full, LengthLimitError};
use openfaas_cloudevents::{Event, IntoData, http::encode};
use openfaas_telemetry::{ClientCall, Scope, Span, Telemetry};
use serde::Serialize;

use super::{Gateway, GatewayError, Inner, Reply, connector, handover::Handover};
use crate::BoxError;

/// Where the answer of a queued call goes.
const X_CALLBACK_URL: &str = "x-callback-url";

/// A call to another function, not sent yet.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `send().await`"]
pub struct Request {
    gateway: Gateway,
    function: String,
    method: Method,
    /// What follows the function's name: empty, or a path with its `/`, and a query.
    path: String,
    headers: HeaderMap,
    payload: Payload,
    /// Through `/async-function`.
    queued: bool,
    timeout: Option<Duration>,
    /// The first header that is none.
    wrong: Option<String>,
}

/// What is sent.
#[derive(Debug, Clone)]
enum Payload {
    Body(Bytes),
    Event(Box<Event>),
}

// === impl Request ===

impl Request {
    pub(super) fn new(gateway: Gateway, function: String) -> Request {
        Request {
            gateway,
            function,
            method: Method::POST,
            path: String::new(),
            headers: HeaderMap::new(),
            payload: Payload::Body(Bytes::new()),
            queued: false,
            timeout: None,
            wrong: None,
        }
    }

    /// Another method than POST.
    pub fn method(mut self, method: Method) -> Request {
        self.method = method;
        self
    }

    /// A path below the function, beginning with `/`, and perhaps a query.
    pub fn path(mut self, path: impl Into<String>) -> Request {
        self.path = path.into();
        self
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => {
                self.wrong = self
                    .wrong
                    .or(Some(format!("`{name}` is no header, or its value is none")))
            }
        }
        self
    }

    /// A body as it is.
    pub fn body(mut self, body: impl Into<Bytes>) -> Request {
        self.payload = Payload::Body(body.into());
        self
    }

    /// A body in JSON.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Result<Request, GatewayError> {
        let body = serde_json::to_vec(value).map_err(|error| self.unencodable(error.into()))?;
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self.body(body))
    }

    /// A CloudEvent, in binary mode. It gets an id and a source if it has none; made while another event is handled, it
    /// names that one as its cause and is of its chain.
    ///
    /// # Errors
    /// Its data cannot be encoded.
    pub fn event<T: IntoData>(mut self, event: Event<T>) -> Result<Request, GatewayError> {
        let event = event
            .into_raw()
            .map_err(|error| self.unencodable(error.into()))?;
        self.payload = Payload::Event(Box::new(event));
        Ok(self)
    }

    /// Queues the call: the gateway answers 202 at once, and nobody waits for the function.
    pub fn asynchronously(mut self) -> Request {
        self.queued = true;
        self
    }

    /// Queues the call, and has its answer posted to this URL.
    pub fn callback(self, url: &str) -> Request {
        self.header(X_CALLBACK_URL, url).asynchronously()
    }

    /// How long to wait for the answer, at most; never longer than what is left of the caller's own deadline.
    pub fn timeout(mut self, timeout: Duration) -> Request {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it and waits for the whole answer, of whatever status.
    ///
    /// # Errors
    /// There is no answer: see [`GatewayError`].
    ///
    /// # Cancel safety
    /// Dropped before the answer, the function called sees its caller leave.
    pub async fn send(self) -> Result<Reply, GatewayError> {
        let caller = self.gateway.caller();
        let handover = Handover::new(
            &self.function,
            caller.as_ref(),
            self.timeout,
            self.queued,
            self.gateway.max_hops(),
        )?;
        let uri = self.uri()?;
        let mut span = {
            let telemetry = caller
                .as_ref()
                .map_or_else(Telemetry::disabled, |caller| caller.telemetry().clone());
            // A span of the author's inside the call is nearer than the call's own.
            let scope = Scope::current();
            let nearer = scope.as_ref().and_then(Scope::outgoing);
            let parent = caller
                .as_ref()
                .and_then(|caller| caller.trace())
                .map(|trace| {
                    let nearer = nearer.filter(|nearer| nearer.trace_id() == trace.trace_id());
                    nearer.unwrap_or(trace)
                });
            let call = ClientCall {
                method: &self.method,
                url: &uri,
                function: &self.function,
            };
            telemetry.client_span(parent, &call)
        };
        let sent = self.exchange(&handover, uri, &span).await;
        match &sent {
            Ok(reply) => span.received(reply.status().as_u16()),
            Err(error) => span.failure(error.kind(), &error.to_string()),
        }
        sent
    }

    async fn exchange(
        &self,
        handover: &Handover<'_>,
        uri: Uri,
        span: &Span,
    ) -> Result<Reply, GatewayError> {
        if let Some(reason) = connector::refused(&uri) {
            return Err(self.unreached(reason.into()));
        }
        let request = self.build(handover, uri, span)?;
        let Inner {
            client, max_reply, ..
        } = &*self.gateway.inner;
        let answer = async {
            let response = client.request(request).await?;
            Reply::read(&self.function, response, *max_reply).await
        };
        let answer = match handover.wait {
            None => answer.await,
            Some(wait) => match tokio::time::timeout(wait, answer).await {
                Ok(answer) => answer,
                Err(_) => return Err(GatewayError::deadline(&self.function)),
            },
        };
        answer.map_err(|error| match max_reply {
            Some(limit) if error.is::<LengthLimitError>() => GatewayError::TooLarge {
                function: self.function.clone(),
                limit: *limit,
            },
            _ if is_beyond_reading(&error) => GatewayError::HeadTooLarge {
                function: self.function.clone(),
            },
            _ => self.unreached(error),
        })
    }

    fn build(
        &self,
        handover: &Handover<'_>,
        uri: Uri,
        span: &Span,
    ) -> Result<http::Request<Full<Bytes>>, GatewayError> {
        if let Some(reason) = &self.wrong {
            return Err(self.wrong(reason.clone()));
        }
        let mut headers = self.headers.clone();
        let body = match &self.payload {
            Payload::Body(body) => body.clone(),
            Payload::Event(event) => {
                let event = handover.identify(Event::clone(event), span)?;
                let (attributes, body) =
                    encode(&event).map_err(|error| self.unencodable(error.into()))?;
                headers.extend(attributes);
                body
            }
        };
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static("openfaas-runtime"));
        handover.write(&mut headers);
        span.inject(&mut headers);
        let mut request = http::Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn uri(&self) -> Result<Uri, GatewayError> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if self.function.is_empty() || !self.function.bytes().all(named) {
            return Err(self
                .wrong("a function's name has letters, digits, `-`, `_` and `.` only".to_owned()));
        }
        if !self.path.is_empty() && !self.path.starts_with(['/', '?']) {
            return Err(self.wrong(format!("the path `{}` does not begin with `/`", self.path)));
        }
        let door = if self.queued {
            "async-function"
        } else {
            "function"
        };
        let base = self.gateway.url().to_string();
        format!(
            "{}/{door}/{}{}",
            base.trim_end_matches('/'),
            self.function,
            self.path
        )
        .parse()
        .map_err(|error| self.wrong(format!("the path `{}` is none: {error}", self.path)))
    }

    fn wrong(&self, reason: String) -> GatewayError {
        GatewayError::Request {
            function: self.function.clone(),
            reason,
        }
    }

    fn unreached(&self, source: BoxError) -> GatewayError {
        GatewayError::Connect {
            gateway: self.gateway.url().to_string(),
            function: self.function.clone(),
            source,
        }
    }

    fn unencodable(&self, source: BoxError) -> GatewayError {
        GatewayError::Encode {
            function: self.function.clone(),
            source,
        }
    }
}

/// Whether there is an answer, of more header than is read.
fn is_beyond_reading(error: &BoxError) -> bool {
    error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .and_then(Error::source)
        .and_then(|cause| cause.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_parse_too_large)
}
