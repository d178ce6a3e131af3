//! Calls to other functions.

mod connector;
mod error;
mod handover;
mod reply;
mod request;

use std::{convert::Infallible, fmt, sync::Arc};

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::{Uri, request::Parts};
use http_body_util::Full;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};

pub(crate) use connector::Roots;
pub use error::GatewayError;
pub use reply::Reply;
pub use request::Request;

use crate::{Context, call::Call, config::Config};
use connector::Connector;

/// Calls other functions through the OpenFaaS gateway.
///
/// A call made while a function handles one of its own carries the trace, the call id, what is left of the deadline (as
/// `X-Timeout`) and how many functions have called one another so far; past `events_max_hops` of them, 32 by default, it
/// is refused. An answer is read whole: up to `max_reply`, 10 MiB by default, with up to 1,000 header lines of 400 KiB
/// together.
///
/// ```no_run
/// # use openfaas_runtime::Context;
/// # async fn example(context: Context) -> Result<(), openfaas_runtime::GatewayError> {
/// let reply = context.gateway().call("price").json(&["tea", "milk"])?.send().await?;
/// let total: f64 = reply.ok()?.json()?;
/// # Ok(())
/// # }
/// ```
///
/// Cheap to clone; clones share their connections. Come by it through [`Context::gateway`], as an argument of an HTTP
/// handler, or, for where there is no call, by [`Gateway::from_env`].
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
    /// The call that calls on.
    within: Option<Context>,
}

/// Header lines that an answer may have.
const HEADER_LINES: usize = 1_000;

/// Bytes that they, and what is read of a body at once, may have.
const HEAD: usize = 400 << 10;

struct Inner {
    /// Scheme and authority, perhaps a path to put before `/function`.
    url: Uri,
    client: Client<Connector, Full<Bytes>>,
    /// The longest answer, in bytes; `None`: no limit.
    max_reply: Option<usize>,
    /// How many functions may call one another.
    max_hops: u32,
}

// === impl Gateway ===

impl Gateway {
    /// The gateway that `gateway_url` names; `http://gateway.openfaas:8080` where it names none, or none that is right.
    /// `max_reply`, `events_max_hops` and `SSL_CERT_FILE` count too.
    pub fn from_env() -> Gateway {
        let keys = [
            "gateway_url",
            "max_reply",
            "events_max_hops",
            "SSL_CERT_FILE",
        ];
        let lookup = |key: &str| keys.contains(&key).then(|| std::env::var(key).ok())?;
        Gateway::new(&Config::from_lookup(lookup).unwrap_or_default())
    }

    /// The gateway at this address, of scheme `http`, or, with the feature `tls`, `https`.
    pub fn at(url: Uri) -> Gateway {
        Gateway::new(&Config {
            gateway_url: url,
            ..Config::default()
        })
    }

    pub(crate) fn new(config: &Config) -> Gateway {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_headers(HEADER_LINES)
            .http1_max_buf_size(HEAD)
            .build(config.gateway_roots.connector());
        Gateway {
            inner: Arc::new(Inner {
                url: config.gateway_url.clone(),
                client,
                max_reply: config.max_reply,
                max_hops: config.max_hops,
            }),
            within: None,
        }
    }

    /// Begins a call to a function: `name`, or `name.namespace`. It is a POST until told otherwise.
    pub fn call(&self, function: impl Into<String>) -> Request {
        Request::new(self.clone(), function.into())
    }

    /// Where it is.
    pub fn url(&self) -> &Uri {
        &self.inner.url
    }

    /// How many functions may call one another.
    pub(crate) fn max_hops(&self) -> u32 {
        self.inner.max_hops
    }

    /// The same gateway for calls made within this call.
    pub(crate) fn within(mut self, context: Context) -> Gateway {
        self.within = Some(context);
        self
    }

    /// The call that calls on: the one it was taken from, else the one that runs here now.
    fn caller(&self) -> Option<Context> {
        self.within.clone().or_else(Call::current)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("url", &self.inner.url)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Gateway {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Gateway, Infallible> {
        Ok(Call::current_with(&parts.headers).gateway())
    }
}
