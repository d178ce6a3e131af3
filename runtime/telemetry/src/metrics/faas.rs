//! What OpenTelemetry wants to know of a function, beside what it wants to know of HTTP.
//!
//! `faas.invoke_duration` is not here: it would be `http.server.request.duration` once more.

use std::sync::Arc;

use super::{Counter, Histogram, Metrics, SECONDS};
use crate::Trigger;

/// The `faas.*` metrics of one function.
#[derive(Clone, Debug)]
pub struct FaasMetrics {
    /// `faas.invocations`: calls that were answered well.
    pub invocations: Counter,
    /// `faas.errors`: calls that were not, by the function's fault.
    pub errors: Counter,
    /// `faas.timeouts`: calls that were given up at their deadline.
    pub timeouts: Counter,
    /// `faas.init_duration`: how long the initialiser took.
    pub init_duration: Histogram,
}

impl FaasMetrics {
    /// The metrics of a function that is called in this way. With them comes `faas.coldstarts`: 1 once the process took a
    /// call.
    pub fn new(metrics: &Metrics, trigger: Trigger) -> Self {
        let labels = [("faas.trigger", trigger.name())];
        let counter = |name, help| metrics.counter(name, help, &labels);
        let http = Arc::clone(&metrics.http);
        let help = "Number of invocation cold starts.";
        metrics.observe_counter("faas.coldstarts", help, &labels, move || {
            u64::from(http.in_flight() > 0 || http.total() > 0)
        });
        let help = "Duration of the function's initialization.";
        Self {
            invocations: counter("faas.invocations", "Number of successful invocations."),
            errors: counter("faas.errors", "Number of invocation errors."),
            timeouts: counter("faas.timeouts", "Number of invocation timeouts."),
            init_duration: metrics.histogram("faas.init_duration", help, SECONDS, &labels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_conventions() {
        let metrics = Metrics::new();
        let faas = FaasMetrics::new(&metrics, Trigger::PubSub);
        metrics.http().started();
        faas.timeouts.add(1);
        faas.init_duration.record(0.2);
        let text = metrics.render();
        for line in [
            "faas_timeouts_total{faas_trigger=\"pubsub\"} 1",
            "faas_coldstarts_total{faas_trigger=\"pubsub\"} 1",
            "faas_init_duration_seconds_bucket{faas_trigger=\"pubsub\",le=\"0.25\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
