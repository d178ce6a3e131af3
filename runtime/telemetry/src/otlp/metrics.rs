//! Metrics on the wire: everything so far since the start (cumulative), under OpenTelemetry's names.

use super::attribute::{Value, key_value};
use super::protobuf::{bytes, double, fixed64, prefix, uint};
use crate::metrics::Metrics;
use crate::metrics::registry::{Kind, Reading, Value as Measured};
use crate::metrics::{Distribution, Row};

/// Fields of OTLP's `Metric` message.
mod field {
    pub(super) const NAME: u32 = 1;
    pub(super) const DESCRIPTION: u32 = 2;
    pub(super) const UNIT: u32 = 3;
    pub(super) const GAUGE: u32 = 5;
    pub(super) const SUM: u32 = 7;
    pub(super) const HISTOGRAM: u32 = 9;
}

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: u64 = 2;

/// From when to when, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// All metrics as `ScopeMetrics` holds them: each with the prefix of field 2.
pub(crate) fn encode(metrics: &Metrics, period: Period) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    http(&mut out, metrics, period);
    for reading in metrics.registry().read() {
        let metric = head(&reading.name, &reading.help, &reading.unit);
        push(&mut out, metric, reading.kind, &points(&reading, period));
    }
    out
}

fn http(out: &mut Vec<u8>, metrics: &Metrics, period: Period) {
    let scheme =
        |point: &mut Vec<u8>, field| key_value(point, field, "url.scheme", Value::Str("http"));
    let mut active = Vec::new();
    number(
        &mut active,
        metrics.http().in_flight() as f64,
        period,
        |point| scheme(point, 7),
    );
    let help = "Number of active HTTP server requests.";
    let metric = head("http.server.active_requests", help, "{request}");
    push(out, metric, Kind::Gauge, &active);

    let mut durations = Vec::new();
    for row in metrics.http().snapshot() {
        let Row { method, status, .. } = row;
        histogram(&mut durations, &row.durations, period, |point| {
            key_value(point, 9, "http.request.method", Value::Str(method));
            key_value(point, 9, "http.response.status_code", Value::from(status));
            scheme(point, 9);
        });
    }
    let help = "Duration of HTTP server requests.";
    let metric = head("http.server.request.duration", help, "s");
    push(out, metric, Kind::Histogram, &durations);
}

fn head(name: &str, description: &str, unit: &str) -> Vec<u8> {
    let mut metric = Vec::new();
    bytes(&mut metric, field::NAME, name.as_bytes());
    bytes(&mut metric, field::DESCRIPTION, description.as_bytes());
    bytes(&mut metric, field::UNIT, unit.as_bytes());
    metric
}

/// Appends a metric with its data points; one without any is left out.
fn push(out: &mut Vec<u8>, mut metric: Vec<u8>, kind: Kind, points: &[u8]) {
    if points.is_empty() {
        return;
    }
    let mut data = points.to_vec();
    if kind != Kind::Gauge {
        uint(&mut data, 2, CUMULATIVE);
    }
    if kind == Kind::Counter {
        uint(&mut data, 3, 1);
    }
    let field = match kind {
        Kind::Counter => field::SUM,
        Kind::Gauge => field::GAUGE,
        Kind::Histogram => field::HISTOGRAM,
    };
    bytes(&mut metric, field, &data);
    bytes(out, 2, &metric);
}

fn points(reading: &Reading, period: Period) -> Vec<u8> {
    let mut out = Vec::new();
    for (labels, value) in &reading.series {
        let attributes = |point: &mut Vec<u8>, field| {
            for (key, value) in labels {
                key_value(point, field, key, Value::Str(value));
            }
        };
        match value {
            Measured::Number(value) => {
                number(&mut out, *value, period, |point| attributes(point, 7))
            }
            Measured::Distribution(values) => {
                histogram(&mut out, values, period, |point| attributes(point, 9));
            }
        }
    }
    out
}

/// Appends a `NumberDataPoint` as field 1.
fn number(out: &mut Vec<u8>, value: f64, period: Period, attributes: impl Fn(&mut Vec<u8>)) {
    let mut point = Vec::with_capacity(64);
    fixed64(&mut point, 2, period.start);
    fixed64(&mut point, 3, period.end);
    double(&mut point, 4, value);
    attributes(&mut point);
    bytes(out, 1, &point);
}

/// Appends a `HistogramDataPoint` as field 1.
fn histogram(
    out: &mut Vec<u8>,
    values: &Distribution,
    period: Period,
    attributes: impl Fn(&mut Vec<u8>),
) {
    let mut point = Vec::with_capacity(512);
    fixed64(&mut point, 2, period.start);
    fixed64(&mut point, 3, period.end);
    fixed64(&mut point, 4, values.count());
    double(&mut point, 5, values.sum);
    prefix(&mut point, 6, values.counts.len() * 8);
    point.extend(values.counts.iter().flat_map(|count| count.to_le_bytes()));
    prefix(&mut point, 7, values.bounds.len() * 8);
    point.extend(values.bounds.iter().flat_map(|bound| bound.to_le_bytes()));
    attributes(&mut point);
    bytes(out, 1, &point);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::metrics::SECONDS;
    use crate::otlp::reader::{Field, Reader};

    const PERIOD: Period = Period { start: 1, end: 2 };

    fn fields(message: &[u8]) -> Vec<Field<'_>> {
        Reader::new(message).map(Result::unwrap).collect()
    }

    /// Name, unit, the field of its data, and the data.
    fn decoded(metrics: &Metrics) -> Vec<(String, String, u32, Vec<u8>)> {
        let encoded = encode(metrics, PERIOD);
        let metric = |field: &Field<'_>| {
            let fields = fields(field.bytes().unwrap());
            let text = |number| {
                let found = fields.iter().find(|field| field.number == number);
                found.unwrap().text().unwrap()
            };
            let data = fields.iter().find(|field| field.number > 3).unwrap();
            (
                text(1),
                text(3),
                data.number,
                data.bytes().unwrap().to_vec(),
            )
        };
        fields(&encoded).iter().map(metric).collect()
    }

    #[test]
    fn each_kind_is_data_of_its_own_kind() {
        let metrics = Metrics::new();
        metrics.counter("c", "", &[("k", "v")]).add(7);
        metrics.gauge("g", "", &[]).set(0.5);
        metrics.histogram("h", "", SECONDS, &[]).record(0.2);
        let seen: Vec<_> = decoded(&metrics).into_iter().skip(1).collect();
        let kinds: Vec<_> = seen
            .iter()
            .map(|(name, unit, kind, _)| (&**name, &**unit, *kind))
            .collect();
        assert_eq!(kinds, [("c", "", 7), ("g", "", 5), ("h", "s", 9)]);

        let sum = fields(&seen[0].3);
        assert_eq!(sum[0].number, 1);
        assert_eq!((sum[1].number, sum[1].varint()), (2, Ok(CUMULATIVE)));
        assert_eq!((sum[2].number, sum[2].varint()), (3, Ok(1)));
        let point = fields(sum[0].bytes().unwrap());
        assert_eq!((point[0].fixed64(), point[1].fixed64()), (Ok(1), Ok(2)));
        assert_eq!(point[2].fixed64().map(f64::from_bits), Ok(7.0));
        assert_eq!(point[3].number, 7);
    }

    #[test]
    fn http_has_its_durations_by_method_and_status() {
        let metrics = Metrics::new();
        metrics.http().started();
        metrics
            .http()
            .finished(&Method::POST, 202, Duration::from_millis(30));
        let decoded = decoded(&metrics);
        let (name, unit, kind, data) = &decoded[1];
        assert_eq!(
            (&**name, &**unit, *kind),
            ("http.server.request.duration", "s", 9)
        );
        let point = fields(fields(data)[0].bytes().unwrap());
        assert_eq!(point[2].fixed64(), Ok(1));
        assert_eq!(point[3].fixed64().map(f64::from_bits), Ok(0.03));
        let counts = point[4].bytes().unwrap();
        assert_eq!(counts.len(), 15 * 8);
        assert_eq!(counts[3 * 8], 1);
        assert_eq!(point[5].bytes().unwrap().len(), 14 * 8);
        assert_eq!(point.iter().filter(|field| field.number == 9).count(), 3);
    }

    #[test]
    fn a_metric_that_has_no_value_yet_is_not_sent() {
        let names: Vec<_> = decoded(&Metrics::new())
            .into_iter()
            .map(|metric| metric.0)
            .collect();
        assert_eq!(names, ["http.server.active_requests"]);
    }
}
