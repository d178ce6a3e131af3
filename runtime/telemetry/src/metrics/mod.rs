//! Metrics: a fixed table for HTTP, a registry for everything else, and the Prometheus text of both.

mod faas;
mod http;
mod instrument;
mod process;
mod recorder;
pub(crate) mod registry;
mod text;

pub use self::http::HttpMetrics;
pub(crate) use self::http::Row;
pub use faas::FaasMetrics;
pub(crate) use instrument::Distribution;
pub use instrument::{ANYTHING, Counter, Gauge, Histogram, SECONDS, Scale};

use std::sync::Arc;

use recorder::AuthorRecorder;
use registry::{Kind, Labels, Registry};

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// All metrics of one service. Cloning it is cheap.
///
/// Handles are made once, at start, and only count after that. A name with dots is OpenTelemetry's: on `/metrics` it has
/// underscores, and its unit and `_total` behind it; any other stays as it is. A name that is taken by another kind of metric gives a
/// handle whose numbers nobody sees; labels beyond 2,000 sets are counted together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    http: Arc<HttpMetrics>,
    registry: Arc<Registry>,
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

    /// A number that only grows. Prometheus wants its name to end in `_total`.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        self.registry.describe(name, help, "");
        self.registry.counter(name, owned(labels))
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        self.registry.describe(name, help, "");
        self.registry.gauge(name, owned(labels))
    }

    /// How often values of which size were seen.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        scale: Scale,
        labels: &[(&str, &str)],
    ) -> Histogram {
        self.registry.describe(name, help, scale.unit);
        self.registry.histogram(name, scale, owned(labels))
    }

    /// A counter that somebody else keeps: `value` is asked when it is read.
    pub fn observe_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        value: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.registry.describe(name, help, "");
        let value = move || value() as f64;
        self.registry
            .observe(name, Kind::Counter, owned(labels), value);
    }

    /// A gauge that somebody else keeps: `value` is asked when it is read.
    pub fn observe_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        value: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.registry.describe(name, help, "");
        self.registry
            .observe(name, Kind::Gauge, owned(labels), value);
    }

    /// Makes these metrics what the macros of the `metrics` crate count in, in the whole process. Whether they are now:
    /// who comes first stays.
    pub fn install(&self) -> bool {
        ::metrics::set_global_recorder(self.recorder()).is_ok()
    }

    /// Everything, in the Prometheus text format.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(8 * 1024);
        self.http.render(&mut out);
        for reading in self.registry.read() {
            text::reading(&mut out, &reading);
        }
        process::render(&mut out);
        out
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    fn recorder(&self) -> AuthorRecorder {
        AuthorRecorder {
            registry: Arc::clone(&self.registry),
        }
    }
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    let label = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    labels.iter().map(label).collect()
}
