//! Handles that are resolved once and then only count.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a histogram measures in, and where its buckets end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The unit as UCUM writes it; empty where there is none.
    pub unit: &'static str,
    /// Upper bounds, going up.
    pub bounds: &'static [f64],
}

/// Durations, with the bounds that OpenTelemetry advises for HTTP.
pub const SECONDS: Scale = Scale {
    unit: "s",
    bounds: &[
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ],
};

/// Values of which nothing is known: seconds as well as milliseconds fall somewhere in the middle.
pub const ANYTHING: Scale = Scale {
    unit: "",
    bounds: &[
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0,
        500.0, 1000.0, 2500.0, 5000.0, 10_000.0,
    ],
};

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(pub(super) Arc<AtomicU64>);

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(pub(super) Arc<AtomicU64>);

/// How often values of which size were seen.
#[derive(Clone, Debug)]
pub struct Histogram(pub(super) Arc<Buckets>);

/// The counts behind a [`Histogram`].
pub(crate) struct Buckets {
    bounds: &'static [f64],
    /// Each value in one place only; the last is beyond every bound.
    counts: Box<[AtomicU64]>,
    /// Bits of an `f64`.
    sum: AtomicU64,
}

/// Buckets as they were at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) bounds: &'static [f64],
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// Takes this value.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds `change`, which may be negative.
    pub fn add(&self, change: f64) {
        add(&self.0, change);
    }

    /// The value now.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }))
    }

    /// Counts this value; one that is no number is left out.
    pub fn record(&self, value: f64) {
        self.0.record(value);
    }

    /// Counts this duration, in seconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(duration.as_secs_f64());
    }
}

impl Buckets {
    pub(super) fn record(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        add(&self.sum, value);
    }

    pub(super) fn read(&self) -> Distribution {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        Distribution {
            bounds: self.bounds,
            counts: counts.collect(),
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl Distribution {
    /// How many values there are.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

fn add(bits: &AtomicU64, change: f64) {
    let sum = |bits| Some((f64::from_bits(bits) + change).to_bits());
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
}
