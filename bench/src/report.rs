//! What a bench prints: one table, each row something beside something else, the ratio last.

use std::fmt;

use crate::compare::{Budget, Pairs, Verdict};
use crate::table;

/// A table with a caption before it and remarks after it.
#[derive(Debug)]
pub struct Report {
    caption: String,
    rows: Vec<Row>,
    remarks: Vec<String>,
}

/// One comparison.
#[derive(Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Its figure, with unit.
    pub figure: String,
    /// What it stands beside.
    pub beside: String,
    /// The figure of that.
    pub reference: String,
    /// How much the reference differs from itself in this run.
    pub unrest: String,
    /// What the ratio has to be; empty where nothing is promised.
    pub budget: String,
    /// Whether it is, where something is promised.
    pub verdict: Option<Verdict>,
    /// Figure by reference.
    pub ratio: String,
}

// === impl Report ===

impl Report {
    /// A report without rows. The caption says what was run.
    pub fn new(caption: impl Into<String>) -> Self {
        Self {
            caption: caption.into(),
            rows: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a sentence that goes below the table.
    pub fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// Whether a row's budget is missed.
    pub fn missed(&self) -> bool {
        self.rows
            .iter()
            .any(|row| row.verdict == Some(Verdict::Missed))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TITLES: [&str; 8] = [
            "", "measured", "beside", "measured", "unrest", "budget", "verdict", "ratio",
        ];
        writeln!(f, "{}\n", self.caption)?;
        table::write(f, TITLES, self.rows.iter().map(Row::cells))?;
        for remark in &self.remarks {
            writeln!(f, "\n{remark}")?;
        }
        Ok(())
    }
}

// === impl Row ===

impl Row {
    /// A row of pairs, their figures written by `unit`.
    pub fn of_pairs(
        what: &str,
        beside: &str,
        pairs: &Pairs,
        budget: Option<Budget>,
        unit: impl Fn(f64) -> String,
    ) -> Self {
        Self {
            what: what.to_owned(),
            figure: unit(pairs.contender()),
            beside: beside.to_owned(),
            reference: unit(pairs.reference()),
            unrest: format!("{:.3}", pairs.unrest()),
            budget: budget.map(|budget| budget.to_string()).unwrap_or_default(),
            verdict: budget.map(|budget| pairs.verdict(budget)),
            ratio: format!("{:.3}", pairs.ratio()),
        }
    }

    fn cells(&self) -> [String; 8] {
        let verdict = self
            .verdict
            .map(|verdict| verdict.to_string())
            .unwrap_or_default();
        [
            self.what.clone(),
            self.figure.clone(),
            self.beside.clone(),
            self.reference.clone(),
            self.unrest.clone(),
            self.budget.clone(),
            verdict,
            self.ratio.clone(),
        ]
    }
}

/// Thousands per second.
pub fn rate(per_second: f64) -> String {
    format!("{:.1} k/s", per_second / 1e3)
}
