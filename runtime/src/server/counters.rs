use std::{sync::Arc, time::Duration};

use openfaas_telemetry::{
    Trigger,
    metrics::{Counter, FaasMetrics, Metrics},
};

use crate::call::Shared;

/// What is counted of calls, beside the metrics of HTTP.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Calls by how they ended otherwise than by an answer, in the order of [`OUTCOMES`].
    outcomes: [Counter; OUTCOMES.len()],
    /// Handlers that had not yielded by their deadline.
    pub(crate) stuck: Counter,
    /// What OpenTelemetry wants to know.
    faas: FaasMetrics,
}

/// How a call can end otherwise than by an answer of its handler.
const OUTCOMES: [&str; 7] = [
    "timeout",
    "idle",
    "broken",
    "panic",
    "cut",
    "caller_left",
    "refused",
];

// === impl Counters ===

impl Counters {
    pub(crate) fn new(shared: &Arc<Shared>, trigger: Trigger) -> Counters {
        let metrics = shared.telemetry.metrics();
        let help = "Callers that wait for a place.";
        // What is shared has the metrics: they must not have it.
        let waiting = Arc::downgrade(shared);
        metrics.observe_gauge("openfaas_calls_queued", help, &[], move || {
            let shared = waiting.upgrade();
            shared.map_or(0.0, |shared| shared.limit.waiting() as f64)
        });
        Counters {
            outcomes: OUTCOMES.map(|outcome| unanswered(metrics, outcome)),
            stuck: metrics.counter(
                "openfaas_stuck_handlers_total",
                "Handlers that had not yielded by their deadline.",
                &[],
            ),
            faas: FaasMetrics::new(metrics, trigger),
        }
    }

    /// A call is over: by an answer of the function's, or otherwise.
    pub(crate) fn over(&self, status: u16, outcome: Option<&str>) {
        let Some(outcome) = outcome else {
            match status < 500 {
                true => self.faas.invocations.add(1),
                false => self.faas.errors.add(1),
            }
            return;
        };
        if let Some(index) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.outcomes[index].add(1);
        }
        match outcome {
            "timeout" => self.faas.timeouts.add(1),
            // The caller's own doing.
            "caller_left" | "refused" => {}
            _ => self.faas.errors.add(1),
        }
    }

    /// The initialiser is done.
    pub(crate) fn initialised(&self, took: Duration) {
        self.faas.init_duration.record_duration(took);
    }
}

fn unanswered(metrics: &Metrics, outcome: &str) -> Counter {
    metrics.counter(
        "openfaas_calls_unanswered_total",
        "Calls that ended otherwise than by an answer of the function, by what happened.",
        &[("outcome", outcome)],
    )
}
