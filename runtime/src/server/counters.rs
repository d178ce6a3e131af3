use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use super::Server;

/// What the runtime counts of its own, beside the metrics of HTTP.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Calls by how they ended otherwise than by an answer, in the order of [`OUTCOMES`].
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Handlers that had not yielded by their deadline.
    pub(crate) stuck: AtomicU64,
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
    /// Counts one more of a known outcome.
    pub(crate) fn count(&self, outcome: &str) {
        if let Some(index) = OUTCOMES.iter().position(|known| *known == outcome) {
            self.outcomes[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As Prometheus text.
    pub(crate) fn render(&self, server: &Server, out: &mut String) {
        family(
            out,
            "openfaas_calls_unanswered_total",
            "counter",
            "Calls that ended otherwise than by an answer of the function, by what happened.",
        );
        for (outcome, count) in OUTCOMES.iter().zip(&self.outcomes) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(
                out,
                "openfaas_calls_unanswered_total{{outcome=\"{outcome}\"}} {count}"
            );
        }
        family(
            out,
            "openfaas_stuck_handlers_total",
            "counter",
            "Handlers that had not yielded by their deadline.",
        );
        let _ = writeln!(
            out,
            "openfaas_stuck_handlers_total {}",
            self.stuck.load(Ordering::Relaxed)
        );
        family(
            out,
            "openfaas_calls_queued",
            "gauge",
            "Callers that wait for a place.",
        );
        let _ = writeln!(
            out,
            "openfaas_calls_queued {}",
            server.shared.limit.waiting()
        );
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
