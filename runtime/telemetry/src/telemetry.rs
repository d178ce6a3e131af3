//! The handle that spans, metrics and the exporter hang on.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderMap;

use crate::config::{Config, Propagators};
use crate::context::TraceContext;
use crate::metrics::Metrics;
#[cfg(feature = "otlp")]
use crate::otlp::exporter::{Exporter, Records};
use crate::queue::{Counts, Queue};
use crate::sampler::Sampler;
use crate::span::{Kind, Limits, Span};

/// Traces and metrics of one service. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    propagators: Propagators,
    tracer: Option<Tracer>,
    metrics: Metrics,
    warm: AtomicBool,
    spans: Arc<Counts>,
    #[cfg(feature = "otlp")]
    exporter: Option<Exporter>,
}

#[derive(Debug)]
struct Tracer {
    sampler: Sampler,
    limits: Limits,
    spans: Arc<Queue>,
}

impl Telemetry {
    /// Exports nothing: spans carry a caller's context on, and cost next to nothing.
    pub fn disabled() -> Self {
        Self::from(Inner::new(Propagators::default(), None))
    }

    /// Starts what `config` asks for and returns at once: connections and whatever else takes time are made by a
    /// thread of its own. A collector that cannot be reached is logged once and costs nobody anything.
    pub fn start(config: Config) -> Self {
        let mut inner = Inner::recording(&config);
        inner.start_exporter(&config);
        Self::from(inner)
    }

    fn from(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// As [`start`](Self::start), with nobody at the other end of the queues.
    #[cfg(test)]
    pub(crate) fn recording(config: Config) -> Self {
        Self::from(Inner::recording(&config))
    }

    /// The context that the headers of a call carry, as far as `OTEL_PROPAGATORS` wants to know.
    pub fn extract(&self, headers: &HeaderMap) -> Option<TraceContext> {
        self.inner.propagators.extract(headers)
    }

    /// Starts a span below `parent`, or a trace of its own. The parent is taken to be on the other side of a hop.
    pub fn span(
        &self,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        parent: Option<&TraceContext>,
    ) -> Span {
        self.start_span(kind, parent, true, || name.into())
    }

    /// The counters, gauges and histograms.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Whether spans go anywhere at all.
    pub fn traces(&self) -> bool {
        self.inner.tracer.is_some()
    }

    /// How many spans were dropped because the exporter did not keep up.
    pub fn dropped_spans(&self) -> u64 {
        self.inner
            .tracer
            .as_ref()
            .map_or(0, |tracer| tracer.spans.dropped())
    }

    /// How many spans a collector has taken.
    pub fn exported_spans(&self) -> u64 {
        self.inner.spans.exported.load(Ordering::Relaxed)
    }

    /// How many spans were given up because no collector took them.
    pub fn failed_spans(&self) -> u64 {
        self.inner.spans.failed.load(Ordering::Relaxed)
    }

    /// Sends what waits, for at most `within`, and stops the exporter.
    ///
    /// Works on a runtime with one thread: the sending is done elsewhere.
    pub async fn shutdown(&self, within: Duration) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.inner.exporter {
            exporter.stop(within).await;
        }
        #[cfg(not(feature = "otlp"))]
        let _ = within;
    }

    /// Whether this is the first call of the process, as `faas.coldstart` wants to know.
    pub(crate) fn is_first_call(&self) -> bool {
        !self.inner.warm.load(Ordering::Relaxed) && !self.inner.warm.swap(true, Ordering::Relaxed)
    }

    /// As [`span`](Self::span); the name is made only if the span is recorded.
    pub(crate) fn start_span(
        &self,
        kind: Kind,
        parent: Option<&TraceContext>,
        remote: bool,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Span {
        let Some(tracer) = &self.inner.tracer else {
            let local = || Span::unrecorded(TraceContext::new_root(false), true);
            return parent.map_or_else(local, |parent| Span::unrecorded(parent.clone(), false));
        };
        let context = parent.map_or_else(|| TraceContext::new_root(false), TraceContext::child);
        let sampled = tracer.sampler.samples(parent, context.trace_id());
        let context = context.with_sampled(sampled);
        if !sampled {
            return Span::unrecorded(context, false);
        }
        let parent = parent.map(|parent| (parent.span_id(), remote));
        Span::recorded(&tracer.spans, tracer.limits, kind, name(), context, parent)
    }

    /// Everything that waits for the exporter, as the request it would be sent in.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> Vec<crate::receiver::ReceivedSpan> {
        let batch = self.inner.tracer.as_ref().map(|tracer| tracer.spans.take());
        let batch = batch.unwrap_or_default();
        let resource = crate::otlp::resource(&[("service.name".to_owned(), "test".to_owned())]);
        let request = batch
            .chunks(usize::MAX)
            .map(|(bytes, _)| crate::otlp::request(&resource, bytes));
        let decoded = request.map(|request| crate::receiver::decode(&request).unwrap());
        decoded.flatten().collect()
    }
}

impl Inner {
    fn new(propagators: Propagators, tracer: Option<Tracer>) -> Self {
        Self {
            propagators,
            tracer,
            metrics: Metrics::new(),
            warm: AtomicBool::new(false),
            spans: Arc::default(),
            #[cfg(feature = "otlp")]
            exporter: None,
        }
    }

    /// Without the `otlp` feature nothing is recorded, as nobody would take it.
    fn recording(config: &Config) -> Self {
        let wanted = config
            .traces
            .as_ref()
            .filter(|_| cfg!(any(test, feature = "otlp")));
        let tracer = wanted.map(|_| Tracer {
            sampler: config.sampler,
            limits: config.limits,
            spans: Arc::new(Queue::new(
                config.span_batches.queue,
                config.span_batches.size,
            )),
        });
        Self::new(config.propagators, tracer)
    }

    #[cfg(feature = "otlp")]
    fn start_exporter(&mut self, config: &Config) {
        let mut records = Vec::new();
        if let (Some(tracer), Some(export)) = (&self.tracer, &config.traces) {
            records.push(Records {
                export: export.clone(),
                queue: Arc::clone(&tracer.spans),
                batches: config.span_batches,
                counts: Arc::clone(&self.spans),
                what: "spans",
            });
        }
        if !records.is_empty() {
            self.exporter = Exporter::start(config, records);
        }
    }

    #[cfg(not(feature = "otlp"))]
    fn start_exporter(&mut self, _: &Config) {}
}
