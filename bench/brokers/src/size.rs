//! How much is run.

use std::time::Duration;

/// Counts and times of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Pairs that a ratio with a budget is the median of.
    pub(crate) pairs: usize,
    /// How long one measurement lasts, after `warm_up`.
    pub(crate) span: Duration,
    /// From the first event that is settled to the first that is counted.
    pub(crate) warm_up: Duration,
    /// Events that wait when a measurement begins; the largest of them is drained once.
    pub(crate) backlog: u64,
    /// Deliveries that several functions share.
    pub(crate) shared: u64,
    /// How long a function is down.
    pub(crate) down: Duration,
    /// How long events are published for their latency.
    pub(crate) latency: Duration,
}

impl Size {
    /// What budgets are held against.
    pub(crate) const FULL: Self = Self {
        pairs: 7,
        span: Duration::from_secs(4),
        warm_up: Duration::from_secs(1),
        backlog: 1_000_000,
        shared: 100_000,
        down: Duration::from_secs(60),
        latency: Duration::from_secs(4),
    };

    /// To see that everything runs.
    pub(crate) const QUICK: Self = Self {
        pairs: 1,
        span: Duration::from_secs(2),
        warm_up: Duration::from_millis(500),
        backlog: 100_000,
        shared: 5_000,
        down: Duration::from_secs(5),
        latency: Duration::from_secs(1),
    };
}
