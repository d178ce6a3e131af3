//! Without TLS.

use hyper_util::client::legacy::connect::HttpConnector;

/// What makes connections.
pub(crate) type Connector = HttpConnector;

/// Nobody to trust: nothing is behind `https://`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roots;

// === impl Roots ===

impl Roots {
    pub(crate) fn read(_: &str) -> Option<Roots> {
        Some(Roots)
    }

    pub(in crate::gateway) fn connector(&self) -> Connector {
        super::tcp()
    }
}
