//! Calls to other functions.

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
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

pub use error::GatewayError;
pub use reply::Reply;
pub use request::Request;

use crate::{Context, call::Call, config::Config};

/// Calls other functions through the OpenFaaS gateway.
///
/// A call made while a function handles one of its own carries the trace, the call id, what is left of the deadline (as
/// `X-Timeout`) and how many functions have called one another so far; past 32 of them it is refused.
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

struct Inner {
    /// Scheme and authority, perhaps a path to put before `/function`.
    url: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
}

// === impl Gateway ===

impl Gateway {
    /// The gateway that `gateway_url` names; `http://gateway.openfaas:8080` where it names none, or none that is right.
    pub fn from_env() -> Gateway {
        let lookup = |key: &str| (key == "gateway_url").then(|| std::env::var(key).ok())?;
        Gateway::at(Config::from_lookup(lookup).unwrap_or_default().gateway_url)
    }

    /// The gateway at this address, of scheme `http`.
    pub fn at(url: Uri) -> Gateway {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector());
        Gateway {
            inner: Arc::new(Inner { url, client }),
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

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

impl<S: Sync> FromRequestParts<S> for Gateway {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Gateway, Infallible> {
        Ok(Call::current_with(&parts.headers).gateway())
    }
}
