//! Metrics: a fixed table for HTTP, a registry for everything else, and the Prometheus text of both.

mod http;

pub use self::http::HttpMetrics;

use std::sync::Arc;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// All metrics of one service. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    http: Arc<HttpMetrics>,
}

impl Metrics {
    /// No values yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is counted for every call over HTTP.
    pub fn http(&self) -> &HttpMetrics {
        &self.http
    }

    /// Everything, in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(4096);
        self.http.render(&mut out);
        out
    }
}
