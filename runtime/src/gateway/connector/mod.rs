//! How the gateway is reached: TCP, and TLS over it behind `https://`.

#[cfg(not(feature = "tls"))]
mod plain;
#[cfg(feature = "tls")]
mod tls;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;

#[cfg(not(feature = "tls"))]
pub(crate) use plain::{Connector, Roots};
#[cfg(feature = "tls")]
pub(crate) use tls::{Connector, Roots};

/// Why this URL cannot be called, before anything is sent.
pub(super) fn refused(url: &Uri) -> Option<&'static str> {
    match url.scheme_str() {
        Some("http") => None,
        Some("https") if cfg!(feature = "tls") => None,
        Some("https") => Some("`https://` needs the feature `tls` of openfaas-runtime"),
        _ => Some("the gateway's URL does not begin with `http://` or `https://`"),
    }
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp
}
