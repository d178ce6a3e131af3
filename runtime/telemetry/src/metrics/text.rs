//! The Prometheus text format.

use std::fmt::Write;

use super::instrument::Distribution;
use super::registry::{Kind, Labels, Reading, Value};

/// Appends what stands before the values of a family.
pub(super) fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Appends one value.
pub(super) fn sample(out: &mut String, name: &str, labels: &str, value: f64) {
    let _ = match labels {
        "" => writeln!(out, "{name} {}", Number(value)),
        labels => writeln!(out, "{name}{{{labels}}} {}", Number(value)),
    };
}

/// Appends a histogram, without the buckets that end at one of the bounds `without`.
pub(super) fn histogram(
    out: &mut String,
    name: &str,
    labels: &str,
    values: &Distribution,
    without: &[f64],
) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0;
    for (bound, bucket) in values.bounds.iter().zip(&values.counts) {
        count += bucket;
        if !without.contains(bound) {
            let _ = writeln!(
                out,
                "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
            );
        }
    }
    let count = values.count();
    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
    sample(out, &format!("{name}_sum"), labels, values.sum);
    sample(out, &format!("{name}_count"), labels, count as f64);
}

/// Appends a family of the registry.
pub(super) fn reading(out: &mut String, reading: &Reading) {
    let name = exposed_name(reading);
    let kind = match reading.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    family(out, &name, kind, &reading.help);
    for (labels, value) in &reading.series {
        let labels = label_text(labels);
        match value {
            Value::Number(number) => sample(out, &name, &labels, *number),
            Value::Distribution(values) => histogram(out, &name, &labels, values, &[]),
        }
    }
}

/// OpenTelemetry's names have dots; unit and `_total` follow them here, as its rules for Prometheus want it. All others
/// are meant as they are.
fn exposed_name(reading: &Reading) -> String {
    let mut name = sanitized(&reading.name, true);
    if !reading.name.contains('.') {
        return name;
    }
    name.push_str(match reading.unit.as_str() {
        "s" => "_seconds",
        "ms" => "_milliseconds",
        "By" => "_bytes",
        _ => "",
    });
    if reading.kind == Kind::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    name
}

/// A name with everything that Prometheus does not take replaced by an underscore.
pub(super) fn sanitized(name: &str, colons: bool) -> String {
    let taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    let first_is_digit = name.starts_with(|c: char| c.is_ascii_digit());
    let rest = name.chars().map(|c| if taken(c) { c } else { '_' });
    first_is_digit
        .then_some('_')
        .into_iter()
        .chain(rest)
        .collect()
}

fn label_text(labels: &Labels) -> String {
    let label = |(name, value): &(String, String)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("{}=\"{value}\"", sanitized(name, false))
    };
    labels.iter().map(label).collect::<Vec<_>>().join(",")
}

struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            number => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::instrument::Scale;
    use super::super::registry::Registry;
    use super::*;

    fn rendered(registry: &Registry) -> String {
        let mut out = String::new();
        for family in registry.read() {
            reading(&mut out, &family);
        }
        out
    }

    #[test]
    fn every_kind_looks_as_prometheus_wants_it() {
        let registry = Registry::default();
        registry.describe("orders.placed", "Orders, \\ and\nmore.", "");
        let labels = vec![("pay-by".to_owned(), "a\"b\\c\nd".to_owned())];
        registry.counter("orders.placed", labels).add(3);
        registry.gauge("1st", vec![]).set(f64::INFINITY);
        registry.describe("body.size", "", "By");
        let scale = Scale {
            unit: "",
            bounds: &[1.0, 2.5],
        };
        let labels = vec![("k".to_owned(), "v".to_owned())];
        registry.histogram("body.size", scale, labels).record(2.0);
        let expected = "\
# HELP _1st \n# TYPE _1st gauge
_1st +Inf
# HELP body_size_bytes \n# TYPE body_size_bytes histogram
body_size_bytes_bucket{k=\"v\",le=\"1\"} 0
body_size_bytes_bucket{k=\"v\",le=\"2.5\"} 1
body_size_bytes_bucket{k=\"v\",le=\"+Inf\"} 1
body_size_bytes_sum{k=\"v\"} 2
body_size_bytes_count{k=\"v\"} 1
# HELP orders_placed_total Orders, \\\\ and\\nmore.
# TYPE orders_placed_total counter
orders_placed_total{pay_by=\"a\\\"b\\\\c\\nd\"} 3
";
        assert_eq!(rendered(&registry), expected);
    }

    #[test]
    fn what_is_only_described_has_no_family() {
        let registry = Registry::default();
        registry.describe("later", "Comes later.", "");
        assert_eq!(rendered(&registry), "");
    }
}
