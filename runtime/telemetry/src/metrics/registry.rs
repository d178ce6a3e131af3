//! Every metric but those of HTTP, by name and labels.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use super::instrument::{Counter, Distribution, Gauge, Histogram, Scale};

/// Most label sets of one metric, as OpenTelemetry has it; all others are counted together.
const MAX_SERIES: usize = 2000;
/// The labels of what is counted together.
const OVERFLOW: (&str, &str) = ("otel_metric_overflow", "true");

/// Names and values, in the order given.
pub(crate) type Labels = Vec<(String, String)>;

/// What a metric measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// All metrics of one service.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    families: RwLock<BTreeMap<String, Family>>,
}

#[derive(Debug, Default)]
struct Family {
    help: String,
    unit: String,
    /// Nothing yet, when it was only described.
    kind: Option<Kind>,
    series: HashMap<Labels, Series>,
}

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    /// Asked for when it is read.
    Observed(std::sync::Arc<dyn Fn() -> f64 + Send + Sync>),
}

/// One family, read at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) help: String,
    /// As UCUM writes it.
    pub(crate) unit: String,
    pub(crate) kind: Kind,
    pub(crate) series: Vec<(Labels, Value)>,
}

/// One value, read at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Distribution(Distribution),
}

impl Registry {
    pub(crate) fn counter(&self, name: &str, labels: Labels) -> Counter {
        let new = || Series::Counter(Counter::default());
        match self.series(name, Kind::Counter, labels, new) {
            Some(Series::Counter(counter)) => counter,
            _ => Counter::default(),
        }
    }

    pub(crate) fn gauge(&self, name: &str, labels: Labels) -> Gauge {
        let new = || Series::Gauge(Gauge::default());
        match self.series(name, Kind::Gauge, labels, new) {
            Some(Series::Gauge(gauge)) => gauge,
            _ => Gauge::default(),
        }
    }

    pub(crate) fn histogram(&self, name: &str, scale: Scale, labels: Labels) -> Histogram {
        let new = || Series::Histogram(Histogram::new(scale.bounds));
        match self.series(name, Kind::Histogram, labels, new) {
            Some(Series::Histogram(histogram)) => histogram,
            _ => Histogram::new(scale.bounds),
        }
    }

    /// A counter or gauge whose value is asked for when it is read. The last one of the same name and labels counts.
    pub(crate) fn observe(
        &self,
        name: &str,
        kind: Kind,
        labels: Labels,
        value: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        let value = Series::Observed(std::sync::Arc::new(value));
        let mut families = self.write();
        let family = families.entry(name.to_owned()).or_default();
        if *family.kind.get_or_insert(kind) == kind {
            family.series.insert(labels, value);
        }
    }

    /// Says what a metric is about, and what it measures in.
    pub(crate) fn describe(&self, name: &str, help: &str, unit: &str) {
        let mut families = self.write();
        let family = families.entry(name.to_owned()).or_default();
        help.clone_into(&mut family.help);
        unit.clone_into(&mut family.unit);
    }

    /// Everything that has a value, by name and then by labels.
    pub(crate) fn read(&self) -> Vec<Reading> {
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        let reading = |(name, family): (&String, &Family)| {
            let series = family
                .series
                .iter()
                .map(|(labels, series)| (labels.clone(), series.read()));
            let mut series: Vec<_> = series.collect();
            series.sort_by(|(one, _), (other, _)| one.cmp(other));
            Some(Reading {
                name: name.clone(),
                help: family.help.clone(),
                unit: family.unit.clone(),
                kind: family.kind?,
                series,
            })
        };
        families.iter().filter_map(reading).collect()
    }

    /// `None` when the name is taken by another kind: then nobody sees what is counted.
    fn series(
        &self,
        name: &str,
        kind: Kind,
        labels: Labels,
        new: impl FnOnce() -> Series,
    ) -> Option<Series> {
        let known = self.families.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = known.get(name)
            && family.kind == Some(kind)
            && let Some(series) = family.series.get(&labels)
        {
            return Some(series.clone());
        }
        drop(known);
        let mut families = self.write();
        let family = families.entry(name.to_owned()).or_default();
        if *family.kind.get_or_insert(kind) != kind {
            return None;
        }
        let full = family.series.len() >= MAX_SERIES && !family.series.contains_key(&labels);
        let labels = match full {
            true => vec![(OVERFLOW.0.to_owned(), OVERFLOW.1.to_owned())],
            false => labels,
        };
        Some(family.series.entry(labels).or_insert_with(new).clone())
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Family>> {
        self.families
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn read(&self) -> Value {
        match self {
            Self::Counter(counter) => Value::Number(counter.get() as f64),
            Self::Gauge(gauge) => Value::Number(gauge.get()),
            Self::Histogram(histogram) => Value::Distribution(histogram.0.read()),
            Self::Observed(value) => Value::Number(value()),
        }
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Series")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale {
        unit: "",
        bounds: &[1.0, 2.0],
    };

    fn labels(value: &str) -> Labels {
        vec![("k".to_owned(), value.to_owned())]
    }

    #[test]
    fn the_same_name_and_labels_are_the_same_series() {
        let registry = Registry::default();
        registry.counter("c", labels("a")).add(1);
        registry.counter("c", labels("a")).add(2);
        registry.counter("c", labels("b")).add(5);
        let read = registry.read();
        let expected = [
            (labels("a"), Value::Number(3.0)),
            (labels("b"), Value::Number(5.0)),
        ];
        assert_eq!((read.len(), read[0].kind), (1, Kind::Counter));
        assert_eq!(read[0].series, expected);
    }

    #[test]
    fn a_name_taken_by_another_kind_stays_what_it_is() {
        let registry = Registry::default();
        registry.counter("c", vec![]).add(1);
        registry.gauge("c", vec![]).set(9.0);
        registry.histogram("c", SCALE, vec![]).record(9.0);
        registry.observe("c", Kind::Gauge, vec![], || 9.0);
        assert_eq!(registry.read()[0].series, [(vec![], Value::Number(1.0))]);
    }

    #[test]
    fn labels_without_end_are_counted_together() {
        let registry = Registry::default();
        for value in 0..MAX_SERIES + 10 {
            registry.counter("c", labels(&value.to_string())).add(1);
        }
        registry.counter("c", labels("0")).add(1);
        let series = &registry.read()[0].series;
        assert_eq!(series.len(), MAX_SERIES + 1);
        let value = |labels: &Labels| {
            series
                .iter()
                .find(|(known, _)| known == labels)
                .unwrap()
                .1
                .clone()
        };
        let overflow = vec![(OVERFLOW.0.to_owned(), OVERFLOW.1.to_owned())];
        assert_eq!(value(&overflow), Value::Number(10.0));
        assert_eq!(value(&labels("0")), Value::Number(2.0));
    }

    #[test]
    fn gauges_and_histograms_add_up() {
        let registry = Registry::default();
        let gauge = registry.gauge("g", vec![]);
        gauge.set(2.5);
        gauge.add(-1.0);
        let histogram = registry.histogram("h", SCALE, vec![]);
        for value in [0.5, 1.0, 1.5, 99.0, f64::NAN] {
            histogram.record(value);
        }
        let read = registry.read();
        assert_eq!(read[0].series[0].1, Value::Number(1.5));
        let expected = Distribution {
            bounds: &[1.0, 2.0],
            counts: vec![2, 1, 1],
            sum: 102.0,
        };
        assert_eq!(read[1].series[0].1, Value::Distribution(expected));
    }

    #[test]
    fn what_is_observed_is_asked_when_it_is_read() {
        let registry = Registry::default();
        let counter = Counter::default();
        let seen = counter.clone();
        registry.observe("o", Kind::Counter, vec![], move || seen.get() as f64);
        counter.add(7);
        assert_eq!(registry.read()[0].series[0].1, Value::Number(7.0));
    }
}
