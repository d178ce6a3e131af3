//! Calls over HTTP, counted in a table by method and status: no look-up by name on the way of a call.

use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::Method;

/// Upper bounds in seconds: of-watchdog's (the Prometheus defaults) and, between them, those that OpenTelemetry adds.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Those of [`BOUNDS`] that of-watchdog has not.
const OTEL_ONLY: [f64; 3] = [0.075, 0.75, 7.5];
/// Rows of the table: the label of of-watchdog, the name of the method. The last is everything else.
const METHODS: [(&str, &str); 10] = [
    ("get", "GET"),
    ("post", "POST"),
    ("put", "PUT"),
    ("delete", "DELETE"),
    ("head", "HEAD"),
    ("options", "OPTIONS"),
    ("patch", "PATCH"),
    ("connect", "CONNECT"),
    ("trace", "TRACE"),
    ("unknown", "_OTHER"),
];
/// Statuses from 100 to 599; what is outside is counted as the nearest.
const STATUSES: usize = 500;

/// of-watchdog's three families, and OpenTelemetry's `http.server.request.duration` and `http.server.active_requests`
/// from the same numbers.
#[derive(Debug, Default)]
pub struct HttpMetrics {
    rows: [OnceLock<Box<[OnceLock<Box<Cell>>]>>; METHODS.len()],
    in_flight: AtomicI64,
}

/// One method with one status.
#[derive(Debug, Default)]
struct Cell {
    /// Calls by duration, each in one place only; the last is beyond every bound.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// One line of the table, read at one moment.
struct Row {
    method: usize,
    status: usize,
    buckets: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

impl HttpMetrics {
    /// A call came in.
    pub fn started(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A call is over, its answer's body included.
    pub fn finished(&self, method: &Method, status: u16, duration: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let cell = self.cell(row_of(method), status);
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        cell.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        cell.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// How many calls are being answered now.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How many calls are over.
    pub fn total(&self) -> u64 {
        self.snapshot().iter().map(Row::count).sum()
    }

    fn cell(&self, row: usize, status: u16) -> &Cell {
        let row = self.rows[row].get_or_init(|| {
            std::iter::repeat_with(OnceLock::new)
                .take(STATUSES)
                .collect()
        });
        let column = usize::from(status.clamp(100, 599)) - 100;
        row[column].get_or_init(Box::default)
    }

    fn snapshot(&self) -> Vec<Row> {
        let rows = self.rows.iter().enumerate();
        let cells = rows.flat_map(|(method, row)| {
            let cells = row.get().into_iter().flat_map(|row| row.iter().enumerate());
            cells.filter_map(move |(status, cell)| Some((method, status + 100, cell.get()?)))
        });
        cells
            .map(|(method, status, cell)| Row::read(method, status, cell))
            .collect()
    }

    /// Appends these families as Prometheus text.
    pub(crate) fn render(&self, out: &mut String) {
        let rows = self.snapshot();
        let _ = self.write(&rows, out);
    }

    fn write(&self, rows: &[Row], out: &mut String) -> std::fmt::Result {
        let in_flight = self.in_flight();
        family(
            out,
            "http_requests_total",
            "counter",
            "total HTTP requests processed",
        )?;
        for row in rows {
            let count = row.count();
            writeln!(
                out,
                "http_requests_total{{{}}} {count}",
                row.watchdog_labels()
            )?;
        }
        let name = "http_request_duration_seconds";
        family(
            out,
            name,
            "histogram",
            "Seconds spent serving HTTP requests.",
        )?;
        for row in rows {
            row.histogram(out, name, &row.watchdog_labels(), &OTEL_ONLY)?;
        }
        family(
            out,
            "http_requests_in_flight",
            "gauge",
            "total HTTP requests in-flight",
        )?;
        writeln!(out, "http_requests_in_flight {in_flight}")?;
        let name = "http_server_request_duration_seconds";
        family(out, name, "histogram", "Duration of HTTP server requests.")?;
        for row in rows {
            row.histogram(out, name, &row.otel_labels(), &[])?;
        }
        let name = "http_server_active_requests";
        family(out, name, "gauge", "Number of active HTTP server requests.")?;
        writeln!(out, "{name}{{url_scheme=\"http\"}} {in_flight}")
    }
}

impl Row {
    fn read(method: usize, status: usize, cell: &Cell) -> Self {
        Self {
            method,
            status,
            buckets: std::array::from_fn(|bucket| cell.buckets[bucket].load(Ordering::Relaxed)),
            seconds: Duration::from_nanos(cell.nanoseconds.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }

    fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn watchdog_labels(&self) -> String {
        format!(
            "code=\"{}\",method=\"{}\"",
            self.status, METHODS[self.method].0
        )
    }

    fn otel_labels(&self) -> String {
        let (status, method) = (self.status, METHODS[self.method].1);
        format!(
            "http_request_method=\"{method}\",http_response_status_code=\"{status}\",url_scheme=\"http\""
        )
    }

    fn histogram(
        &self,
        out: &mut String,
        name: &str,
        labels: &str,
        without: &[f64],
    ) -> std::fmt::Result {
        let mut count = 0;
        for (bound, bucket) in BOUNDS.iter().zip(self.buckets) {
            count += bucket;
            if !without.contains(bound) {
                writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}")?;
            }
        }
        let count = self.count();
        writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
        writeln!(out, "{name}_sum{{{labels}}} {}", self.seconds)?;
        writeln!(out, "{name}_count{{{labels}}} {count}")
    }
}

fn row_of(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        Method::HEAD => 4,
        Method::OPTIONS => 5,
        Method::PATCH => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ => METHODS.len() - 1,
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(metrics: &HttpMetrics) -> String {
        let mut out = String::new();
        metrics.render(&mut out);
        out
    }

    #[test]
    fn a_call_shows_in_every_family() {
        let metrics = HttpMetrics::default();
        metrics.started();
        metrics.started();
        metrics.finished(&Method::GET, 200, Duration::from_millis(60));
        let text = rendered(&metrics);
        for line in [
            "# TYPE http_requests_total counter",
            "http_requests_total{code=\"200\",method=\"get\"} 1",
            "http_request_duration_seconds_bucket{code=\"200\",method=\"get\",le=\"0.05\"} 0",
            "http_request_duration_seconds_bucket{code=\"200\",method=\"get\",le=\"0.1\"} 1",
            "http_request_duration_seconds_bucket{code=\"200\",method=\"get\",le=\"+Inf\"} 1",
            "http_request_duration_seconds_sum{code=\"200\",method=\"get\"} 0.06",
            "http_request_duration_seconds_count{code=\"200\",method=\"get\"} 1",
            "http_requests_in_flight 1",
            "http_server_request_duration_seconds_bucket{http_request_method=\"GET\",\
             http_response_status_code=\"200\",url_scheme=\"http\",le=\"0.075\"} 1",
            "http_server_active_requests{url_scheme=\"http\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("code=\"200\",method=\"get\",le=\"0.075\""));
    }

    #[test]
    fn verbs_and_statuses_that_nobody_knows_have_a_place() {
        let metrics = HttpMetrics::default();
        let verb = Method::from_bytes(b"BREW").unwrap();
        metrics.finished(&verb, 999, Duration::ZERO);
        metrics.finished(&verb, 0, Duration::MAX);
        let text = rendered(&metrics);
        assert!(text.contains("http_requests_total{code=\"599\",method=\"unknown\"} 1"));
        assert!(text.contains("http_requests_total{code=\"100\",method=\"unknown\"} 1"));
        assert_eq!(metrics.total(), 2);
    }

    #[test]
    fn a_duration_on_a_bound_belongs_below_it() {
        let metrics = HttpMetrics::default();
        metrics.finished(&Method::POST, 204, Duration::from_millis(5));
        metrics.finished(&Method::POST, 204, Duration::from_secs(10));
        metrics.finished(&Method::POST, 204, Duration::from_secs(11));
        let text = rendered(&metrics);
        let bucket = |bound, count| {
            format!(
                "http_request_duration_seconds_bucket{{code=\"204\",method=\"post\",le=\"{bound}\"}} {count}\n"
            )
        };
        assert!(text.contains(&bucket("0.005", 1)));
        assert!(text.contains(&bucket("10", 2)));
        assert!(text.contains(&bucket("+Inf", 3)));
    }
}
