//! The handle that spans, metrics and the exporter hang on.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;

use crate::config::{Batches, Config, Propagators};
use crate::context::TraceContext;
use crate::logs::Logs;
use crate::metrics::Metrics;
#[cfg(feature = "otlp")]
use crate::otlp::exporter::{Exporter, Signals};
use crate::otlp::logs::Exported;
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
    /// Where log records wait.
    records: Option<Arc<Queue>>,
    metrics: Metrics,
    warm: AtomicBool,
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
        Self::from(Inner::new(Propagators::default()))
    }

    /// Starts what `config` asks for and returns at once: connections and whatever else takes time are made by a
    /// thread of its own. A collector that cannot be reached is logged once and costs nobody anything.
    pub fn start(config: Config) -> Self {
        let mut inner = Inner::recording(&config);
        inner.start_exporter(config);
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

    /// Exports what is logged from now on, if log records are exported, and counts the lines that are dropped.
    ///
    /// The request log is not exported: the server span says the same and more.
    pub fn collect(&self, logs: &Logs) {
        if let Some(records) = &self.inner.records {
            logs.export_to(Exported::new(Arc::clone(records)));
        }
        let help = "Log lines dropped because nobody read them fast enough.";
        let logs = logs.clone();
        let metrics = self.metrics();
        metrics.observe_counter("log_lines_dropped_total", help, &[], move || logs.dropped());
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

    /// What stands for the span of something that another one of this process covers already: what is begun below it
    /// becomes that one's child. Nothing is recorded of it.
    pub fn covered(&self, by: Option<&TraceContext>) -> Span {
        match by {
            Some(by) => Span::unrecorded(by.clone(), false),
            None => Span::unrecorded(TraceContext::new_root(false), true),
        }
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
        self.spans(|counts| &counts.dropped)
    }

    /// How many spans a collector has taken.
    pub fn exported_spans(&self) -> u64 {
        self.spans(|counts| &counts.exported)
    }

    /// How many spans were given up because no collector took them.
    pub fn failed_spans(&self) -> u64 {
        self.spans(|counts| &counts.failed)
    }

    fn spans(&self, count: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        let tracer = self.inner.tracer.as_ref();
        tracer.map_or(0, |tracer| {
            count(tracer.spans.counts()).load(Ordering::Relaxed)
        })
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
    fn new(propagators: Propagators) -> Self {
        Self {
            propagators,
            tracer: None,
            records: None,
            metrics: Metrics::new(),
            warm: AtomicBool::new(false),
            #[cfg(feature = "otlp")]
            exporter: None,
        }
    }

    /// Without the `otlp` feature nothing is recorded, as nobody would send it.
    fn recording(config: &Config) -> Self {
        let sends = cfg!(any(test, feature = "otlp"));
        let queue = |batches: Batches| Arc::new(Queue::new(batches.queue, batches.size));
        let mut inner = Self::new(config.propagators);
        if sends && config.traces.is_some() {
            let spans = queue(config.span_batches);
            count_spans(&inner.metrics, &spans);
            inner.tracer = Some(Tracer {
                sampler: config.sampler,
                limits: config.limits,
                spans,
            });
        }
        if sends && config.logs.is_some() {
            inner.records = Some(queue(config.log_batches));
        }
        inner
    }

    #[cfg(feature = "otlp")]
    fn start_exporter(&mut self, config: Config) {
        if config.exports() {
            let spans = self.tracer.as_ref().map(|tracer| Arc::clone(&tracer.spans));
            let signals = Signals {
                spans,
                logs: self.records.clone(),
                metrics: self.metrics.clone(),
            };
            self.exporter = Exporter::start(config, signals);
        }
    }

    #[cfg(not(feature = "otlp"))]
    fn start_exporter(&mut self, _: Config) {}
}

/// What became of spans, under the names that OpenTelemetry has for its own doings.
fn count_spans(metrics: &Metrics, spans: &Arc<Queue>) {
    let observe = |name, help, labels: &[_], count: fn(&Counts) -> &AtomicU64| {
        let spans = Arc::clone(spans);
        let value = move || count(spans.counts()).load(Ordering::Relaxed);
        metrics.observe_counter(name, help, labels, value);
    };
    let (name, help) = (
        "otel.sdk.exporter.span.exported",
        "Spans whose export is over.",
    );
    observe(name, help, &[], |counts| &counts.exported);
    observe(name, help, &[("error.type", "export")], |counts| {
        &counts.failed
    });
    let (name, help) = (
        "otel.sdk.processor.span.processed",
        "Spans dropped before the export.",
    );
    observe(name, help, &[("error.type", "queue_full")], |counts| {
        &counts.dropped
    });
}
