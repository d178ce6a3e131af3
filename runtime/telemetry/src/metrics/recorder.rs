//! What an author counts with the macros of the `metrics` crate.

use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use super::instrument::{ANYTHING, Buckets};
use super::registry::{Labels, Registry};

/// Gives out handles of the registry.
#[derive(Debug)]
pub(super) struct AuthorRecorder {
    pub(super) registry: Arc<Registry>,
}

impl Recorder for AuthorRecorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&key, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&key, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&key, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counter = self.registry.counter(key.name(), labels(key));
        Counter::from_arc(Arc::new(counter))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let gauge = self.registry.gauge(key.name(), labels(key));
        Gauge::from_arc(gauge.0)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let histogram = self.registry.histogram(key.name(), ANYTHING, labels(key));
        Histogram::from_arc(histogram.0)
    }
}

impl AuthorRecorder {
    fn describe(&self, key: &KeyName, unit: Option<Unit>, help: &str) {
        let unit = match unit {
            Some(Unit::Seconds) => "s",
            Some(Unit::Milliseconds) => "ms",
            Some(Unit::Bytes) => "By",
            _ => "",
        };
        self.registry.describe(key.as_str(), help, unit);
    }
}

fn labels(key: &Key) -> Labels {
    let label = |label: &metrics::Label| (label.key().to_owned(), label.value().to_owned());
    key.labels().map(label).collect()
}

impl CounterFn for super::Counter {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, value: u64) {
        self.0
            .fetch_max(value, std::sync::atomic::Ordering::Relaxed);
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        self.record(value);
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn the_macros_of_an_author_come_out_as_text() {
        let metrics = Metrics::new();
        metrics::with_local_recorder(&metrics.recorder(), || {
            metrics::describe_counter!("orders_total", "Orders placed.");
            metrics::counter!("orders_total", "country" => "de").increment(2);
            metrics::counter!("orders_total", "country" => "de").absolute(1);
            metrics::gauge!("stock").set(7.0);
            metrics::gauge!("stock").decrement(0.5);
            metrics::histogram!("seconds").record(0.2);
        });
        let text = metrics.render();
        for line in [
            "# HELP orders_total Orders placed.",
            "orders_total{country=\"de\"} 2",
            "stock 6.5",
            "seconds_bucket{le=\"0.1\"} 0",
            "seconds_bucket{le=\"0.25\"} 1",
            "seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
