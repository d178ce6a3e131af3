//! What OpenTelemetry wants to know of a function, beside what it wants to know of HTTP.

use super::{Counter, Histogram, Metrics, SECONDS};
use crate::Trigger;

/// The `faas.*` metrics of one function.
#[derive(Clone, Debug)]
pub struct FaasMetrics {
    /// `faas.invocations`: calls that were answered well.
    pub invocations: Counter,
    /// `faas.errors`: calls that were not.
    pub errors: Counter,
    /// `faas.timeouts`: calls that were given up at their deadline.
    pub timeouts: Counter,
    /// `faas.coldstarts`: processes that took a first call.
    pub coldstarts: Counter,
    /// `faas.init_duration`: from the start of the process to the end of the initialiser.
    pub init_duration: Histogram,
}

impl FaasMetrics {
    /// The metrics of a function that is called in this way.
    pub fn new(metrics: &Metrics, trigger: Trigger) -> Self {
        let labels = [("faas.trigger", trigger.name())];
        let counter = |name, help| metrics.counter(name, help, &labels);
        let help = "Duration of the function's initialization.";
        Self {
            invocations: counter("faas.invocations", "Number of successful invocations."),
            errors: counter("faas.errors", "Number of invocation errors."),
            timeouts: counter("faas.timeouts", "Number of invocation timeouts."),
            coldstarts: counter("faas.coldstarts", "Number of invocation cold starts."),
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
        faas.timeouts.add(1);
        faas.init_duration.record(0.2);
        let text = metrics.render();
        for line in [
            "faas_timeouts_total{faas_trigger=\"pubsub\"} 1",
            "faas_coldstarts_total{faas_trigger=\"pubsub\"} 0",
            "faas_init_duration_seconds_bucket{faas_trigger=\"pubsub\",le=\"0.25\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
