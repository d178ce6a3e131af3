use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_TYPE, USER_AGENT},
};
use http_body_util::Full;
use openfaas_cloudevents::{Event, IntoData};
use openfaas_delivery::{duration, reply::HOP_LIMIT};
use serde::Serialize;

use super::{Gateway, GatewayError, Reply};
use crate::{
    BoxError, Context,
    call::{X_CALL_ID, X_HOP_COUNT},
};

const X_CALLBACK_URL: HeaderName = HeaderName::from_static("x-callback-url");
const X_TIMEOUT: HeaderName = HeaderName::from_static("x-timeout");

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
    body: Bytes,
    asynchronous: bool,
    timeout: Option<Duration>,
    /// The first thing that was wrong with a header or the callback.
    wrong: Option<String>,
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
            body: Bytes::new(),
            asynchronous: false,
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
                    .or(Some(format!("{name:?} is no header, or its value is none")))
            }
        }
        self
    }

    /// A body as it is.
    pub fn body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
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

    /// A CloudEvent, in binary mode. Made while another one is handled, it names that one as its cause.
    ///
    /// # Errors
    /// The event is not a valid one, or its chain is too long.
    pub fn event<T: IntoData>(mut self, event: Event<T>) -> Result<Request, GatewayError> {
        let event = event
            .into_raw()
            .map_err(|error| self.unencodable(error.into()))?;
        let (headers, body) = openfaas_cloudevents::http::encode_binary(&event)
            .map_err(|error| self.unencodable(error.into()))?;
        self.headers.extend(headers);
        Ok(self.body(body))
    }

    /// Queues the call: the gateway answers 202 at once, and nobody waits for the function.
    pub fn asynchronously(mut self) -> Request {
        self.asynchronous = true;
        self
    }

    /// Queues the call, and has its answer posted to this URL.
    pub fn callback(self, url: &str) -> Request {
        self.header(X_CALLBACK_URL.as_str(), url).asynchronously()
    }

    /// How long to wait for the answer. What is left of the caller's own deadline is less? Then that.
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
    pub async fn send(mut self) -> Result<Reply, GatewayError> {
        let caller = self.gateway.caller();
        let wait = self.prepare(caller.as_ref())?;
        let request = self.request()?;
        let gateway = self.gateway.inner.clone();
        let answer = async {
            let response = gateway
                .client
                .request(request)
                .await
                .map_err(BoxError::from)?;
            Reply::read(&self.function, response)
                .await
                .map_err(BoxError::from)
        };
        let answer = match wait {
            None => answer.await,
            Some(wait) => match tokio::time::timeout(wait, answer).await {
                Ok(answer) => answer,
                Err(_) => {
                    return Err(GatewayError::Deadline {
                        function: self.function,
                    });
                }
            },
        };
        answer.map_err(|source| GatewayError::Connect {
            gateway: self.gateway.url().to_string(),
            function: self.function,
            source,
        })
    }

    /// Adds what the caller hands down. Returns how long to wait.
    fn prepare(&mut self, caller: Option<&Context>) -> Result<Option<Duration>, GatewayError> {
        let hops = caller.map_or(0, Context::hops) + 1;
        if hops > HOP_LIMIT {
            return Err(GatewayError::TooManyHops {
                function: self.function.clone(),
                hops,
                limit: HOP_LIMIT,
            });
        }
        self.headers.insert(X_HOP_COUNT, HeaderValue::from(hops));
        self.headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static("openfaas-runtime"));
        let left = caller.and_then(Context::remaining);
        if let Some(caller) = caller {
            if let Ok(call_id) = HeaderValue::try_from(caller.call_id()) {
                self.headers.entry(X_CALL_ID).or_insert(call_id);
            }
            if let Some(trace) = caller.trace() {
                trace.inject(&mut self.headers);
            }
        }
        let wait = match (self.timeout, left) {
            (Some(timeout), Some(left)) => Some(timeout.min(left)),
            (timeout, left) => timeout.or(left),
        };
        match wait {
            Some(wait) if wait.is_zero() => Err(GatewayError::Deadline {
                function: self.function.clone(),
            }),
            Some(wait) if !self.asynchronous => {
                // In whole milliseconds: the function called ends no later than its caller.
                let wait = Duration::from_millis(wait.as_millis().max(1) as u64);
                if let Ok(value) = HeaderValue::try_from(duration::format(wait)) {
                    self.headers.insert(X_TIMEOUT, value);
                }
                Ok(Some(wait))
            }
            wait => Ok(wait),
        }
    }

    fn request(&mut self) -> Result<http::Request<Full<Bytes>>, GatewayError> {
        if let Some(reason) = self.wrong.take() {
            return Err(self.wrong(reason));
        }
        let uri = self.uri().map_err(|reason| self.wrong(reason))?;
        let mut request = http::Request::new(Full::new(std::mem::take(&mut self.body)));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = std::mem::take(&mut self.headers);
        Ok(request)
    }

    fn uri(&self) -> Result<Uri, String> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if self.function.is_empty() || !self.function.bytes().all(named) {
            return Err("a function's name has letters, digits, `-`, `_` and `.` only".to_owned());
        }
        if !self.path.is_empty() && !self.path.starts_with(['/', '?']) {
            return Err(format!("the path {:?} does not begin with `/`", self.path));
        }
        let door = if self.asynchronous {
            "async-function"
        } else {
            "function"
        };
        let base = self.gateway.url().to_string();
        let base = base.trim_end_matches('/');
        format!("{base}/{door}/{}{}", self.function, self.path)
            .parse()
            .map_err(|error| format!("the path {:?} is none: {error}", self.path))
    }

    fn wrong(&self, reason: String) -> GatewayError {
        GatewayError::Request {
            function: self.function.clone(),
            reason,
        }
    }

    fn unencodable(&self, source: BoxError) -> GatewayError {
        GatewayError::Encode {
            function: self.function.clone(),
            source,
        }
    }
}
