//! Calls over HTTP, counted in a table by method and status: no look-up by name on the way of a call.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::Method;

use super::instrument::{Distribution, SECONDS};
use super::text::{family, histogram, sample};

/// Those of [`SECONDS`] that of-watchdog, which has the Prometheus defaults, has not.
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
    rows: [OnceLock<Columns>; METHODS.len()],
    in_flight: AtomicI64,
}

/// The statuses of one method.
type Columns = Box<[OnceLock<Box<Cell>>]>;

/// One method with one status.
#[derive(Debug, Default)]
struct Cell {
    /// Calls by duration, each in one place only; the last is beyond every bound.
    buckets: [AtomicU64; SECONDS.bounds.len() + 1],
    nanoseconds: AtomicU64,
}

/// One line of the table, read at one moment.
#[derive(Debug)]
pub(crate) struct Row {
    /// As OpenTelemetry spells it.
    pub(crate) method: &'static str,
    pub(crate) status: usize,
    pub(crate) durations: Distribution,
    /// As of-watchdog spells the method.
    label: &'static str,
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
        let bucket = SECONDS.bounds.partition_point(|bound| *bound < seconds);
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
        self.snapshot()
            .iter()
            .map(|row| row.durations.count())
            .sum()
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

    /// Every method and status that was seen.
    pub(crate) fn snapshot(&self) -> Vec<Row> {
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
    pub(super) fn render(&self, out: &mut String) {
        let rows = self.snapshot();
        let in_flight = self.in_flight() as f64;
        let name = "http_requests_total";
        family(out, name, "counter", "total HTTP requests processed");
        for row in &rows {
            sample(
                out,
                name,
                &row.watchdog_labels(),
                row.durations.count() as f64,
            );
        }
        let name = "http_request_duration_seconds";
        family(
            out,
            name,
            "histogram",
            "Seconds spent serving HTTP requests.",
        );
        for row in &rows {
            histogram(
                out,
                name,
                &row.watchdog_labels(),
                &row.durations,
                &OTEL_ONLY,
            );
        }
        let name = "http_requests_in_flight";
        family(out, name, "gauge", "total HTTP requests in-flight");
        sample(out, name, "", in_flight);
        let name = "http_server_request_duration_seconds";
        family(out, name, "histogram", "Duration of HTTP server requests.");
        for row in &rows {
            histogram(out, name, &row.otel_labels(), &row.durations, &[]);
        }
        let name = "http_server_active_requests";
        family(out, name, "gauge", "Number of active HTTP server requests.");
        sample(out, name, "url_scheme=\"http\"", in_flight);
    }
}

impl Row {
    fn read(method: usize, status: usize, cell: &Cell) -> Self {
        let counts = cell
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        let nanoseconds = cell.nanoseconds.load(Ordering::Relaxed);
        Self {
            method: METHODS[method].1,
            status,
            label: METHODS[method].0,
            durations: Distribution {
                bounds: SECONDS.bounds,
                counts: counts.collect(),
                sum: Duration::from_nanos(nanoseconds).as_secs_f64(),
            },
        }
    }

    fn watchdog_labels(&self) -> String {
        format!("code=\"{}\",method=\"{}\"", self.status, self.label)
    }

    fn otel_labels(&self) -> String {
        let (status, method) = (self.status, self.method);
        format!(
            "http_request_method=\"{method}\",http_response_status_code=\"{status}\",url_scheme=\"http\""
        )
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
