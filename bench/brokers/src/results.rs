//! What is printed: figures row by row, then ratios with their budgets.

use std::fmt;

use openfaas_bench::compare::{Budget, Pairs, median};
use openfaas_bench::report::{Report, Row, rate};
use openfaas_bench::table;

use crate::backlog::Figures;
use crate::latency::Latency;

/// Two tables.
#[derive(Debug)]
pub(crate) struct Results {
    caption: String,
    lines: Vec<[String; 7]>,
    ratios: Report,
}

// === impl Results ===

impl Results {
    /// Nothing yet. The caption says what is run.
    pub(crate) fn new(caption: impl Into<String>) -> Self {
        Self {
            caption: caption.into(),
            lines: Vec::new(),
            ratios: Report::new("Ratios: the median of interleaved pairs"),
        }
    }

    /// Adds a row of figures: the median of some runs, and the most memory of any.
    pub(crate) fn figures(&mut self, what: String, runs: &[Figures], latency: Option<Latency>) {
        let of = |figure: fn(&Figures) -> f64| median(runs.iter().map(figure));
        let peak = runs.iter().map(|run| run.usage.peak).fold(0.0, f64::max);
        let millis = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
        let (p50, p99) = latency.map_or_else(Default::default, |latency| {
            let at = rate(latency.rate);
            (
                millis(latency.p50),
                format!("{} at {at}", millis(latency.p99)),
            )
        });
        let drained = runs.iter().find_map(|run| run.drained);
        self.lines.push([
            what,
            rate(of(|run| run.per_second)),
            p50,
            p99,
            format!("{:.1} µs", of(|run| run.cpu)),
            format!("{:.1}, {peak:.1} MB", of(|run| run.usage.resident)),
            drained.map_or_else(String::new, |took| format!("{:.1} s", took.as_secs_f64())),
        ]);
    }

    /// Adds a ratio of rates.
    pub(crate) fn ratio(&mut self, what: &str, beside: &str, pairs: &Pairs, least: Option<f64>) {
        let budget = least.map(Budget::AtLeast);
        self.ratios
            .push(Row::of_pairs(what, beside, pairs, budget, rate));
    }

    /// Adds something that stays below a bound: a figure as it is written, and in the bound's unit.
    pub(crate) fn bound(&mut self, what: String, figure: String, value: f64, most: (f64, &str)) {
        let budget = Budget::AtMost(most.0);
        self.ratios.push(Row {
            what,
            figure,
            beside: String::new(),
            reference: String::new(),
            unrest: String::new(),
            budget: format!("{budget}{}", most.1),
            verdict: Some(budget.verdict(value, 0.0)),
            ratio: String::new(),
        });
    }

    /// Adds a sentence below the tables.
    pub(crate) fn remark(&mut self, remark: impl Into<String>) {
        self.ratios.remark(remark);
    }

    /// Whether a budget is missed.
    pub(crate) fn missed(&self) -> bool {
        self.ratios.missed()
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TITLES: [&str; 7] = [
            "",
            "events/s",
            "p50",
            "p99",
            "CPU/event",
            "resident, at most",
            "drained in",
        ];
        writeln!(f, "{}\n", self.caption)?;
        table::write(f, TITLES, self.lines.iter().cloned())?;
        writeln!(f, "\n{}", self.ratios)
    }
}
