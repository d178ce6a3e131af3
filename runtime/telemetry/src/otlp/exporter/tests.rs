use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender as Channel, channel};

use crate::receiver::{self, ReceivedSpan};
use tracing::instrument::WithSubscriber;

use crate::logs::{LogConfig, Logs};
use crate::{CallId, Config, Kind, Scope, Telemetry};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const LONG: Duration = Duration::from_secs(20);

/// One request as it came in.
struct Posted {
    line: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// A collector that answers what it is told to, and `200` after that.
struct Collector {
    port: u16,
    posted: Receiver<Posted>,
}

impl Collector {
    fn new(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (channel, posted) = channel();
        let mut answers = answers.iter().copied();
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &mut answers, &channel);
            }
        });
        Self { port, posted }
    }

    fn next(&self) -> Posted {
        self.posted.recv_timeout(LONG).unwrap()
    }

    fn spans(&self) -> Vec<ReceivedSpan> {
        receiver::decode(&self.next().body).unwrap()
    }

    fn telemetry(&self, variables: &[(&str, &str)]) -> Telemetry {
        let endpoint = format!("http://127.0.0.1:{}/v1/traces", self.port);
        let lookup = |key: &str| {
            let found = variables.iter().find(|(known, _)| *known == key);
            let default = (key == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").then_some(&*endpoint);
            found
                .map(|(_, value)| *value)
                .or(default)
                .map(str::to_owned)
        };
        Telemetry::start(Config::from_lookup(lookup, "order").unwrap())
    }
}

/// Answers requests until the other side closes, or until an answer says that this side does.
fn serve(
    stream: TcpStream,
    answers: &mut impl Iterator<Item = &'static str>,
    channel: &Channel<Posted>,
) {
    let mut reader = BufReader::new(stream);
    while let Some(posted) = read(&mut reader) {
        let _ = channel.send(posted);
        let answer = answers.next().unwrap_or(OK);
        if reader.get_mut().write_all(answer.as_bytes()).is_err() || answer.contains("close") {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Posted> {
    let mut lines = reader.by_ref().lines();
    let line = lines.next()?.ok()?;
    let headers: HashMap<_, _> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        })
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Posted {
        line,
        headers,
        body,
    })
}

fn counts(telemetry: &Telemetry) -> (u64, u64) {
    (telemetry.exported_spans(), telemetry.failed_spans())
}

#[tokio::test]
async fn what_waits_is_sent_at_shutdown_on_a_runtime_of_one_thread() {
    let collector = Collector::new(&[]);
    let telemetry = collector.telemetry(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k")]);
    for name in ["one", "two"] {
        telemetry.span(Kind::Internal, name, None).end();
    }
    telemetry.shutdown(LONG).await;
    let posted = collector.next();
    assert_eq!(posted.line, "POST /v1/traces HTTP/1.1");
    assert_eq!(posted.headers["content-type"], "application/x-protobuf");
    assert_eq!(
        posted.headers["host"],
        format!("127.0.0.1:{}", collector.port)
    );
    assert_eq!(posted.headers["api-key"], "k");
    let spans = receiver::decode(&posted.body).unwrap();
    let names: Vec<_> = spans
        .iter()
        .map(|span| (&*span.name, &*span.service))
        .collect();
    assert_eq!(names, [("one", "order"), ("two", "order")]);
    assert_eq!(counts(&telemetry), (2, 0));
}

#[test]
fn a_full_batch_is_sent_before_the_delay_and_without_a_runtime_here() {
    let collector = Collector::new(&[]);
    let telemetry = collector.telemetry(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "3")]);
    for _ in 0..3 {
        telemetry.span(Kind::Internal, "x", None).end();
    }
    assert_eq!(collector.spans().len(), 3);
}

#[test]
fn a_span_alone_is_sent_after_the_delay() {
    let collector = Collector::new(&[]);
    let telemetry = collector.telemetry(&[("OTEL_BSP_SCHEDULE_DELAY", "10")]);
    for name in ["first", "second"] {
        telemetry.span(Kind::Internal, name, None).end();
        assert_eq!(collector.spans()[0].name, name);
    }
}

#[tokio::test]
async fn compressed_means_compressed() {
    let collector = Collector::new(&[]);
    let telemetry = collector.telemetry(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]);
    telemetry.span(Kind::Internal, "x", None).end();
    telemetry.shutdown(LONG).await;
    let posted = collector.next();
    assert_eq!(posted.headers["content-encoding"], "gzip");
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&*posted.body)
        .read_to_end(&mut body)
        .unwrap();
    assert_eq!(receiver::decode(&body).unwrap().len(), 1);
}

#[test]
fn a_refusal_that_passes_is_tried_again_with_the_same_spans() {
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    const CLOSING: &str =
        "HTTP/1.1 429 Busy\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let collector = Collector::new(&[BUSY, CLOSING]);
    let telemetry = collector.telemetry(&[("OTEL_BSP_SCHEDULE_DELAY", "1")]);
    let span = telemetry.span(Kind::Internal, "x", None);
    let id = span.context().span_id();
    span.end();
    for _ in 0..3 {
        assert_eq!(collector.spans()[0].span_id, id);
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_counted_and_not_tried_again() {
    const BAD: &str = "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n";
    let collector = Collector::new(&[BAD]);
    let telemetry = collector.telemetry(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")]);
    telemetry.span(Kind::Internal, "lost", None).end();
    assert_eq!(collector.spans()[0].name, "lost");
    telemetry.span(Kind::Internal, "kept", None).end();
    telemetry.shutdown(LONG).await;
    assert_eq!(collector.spans()[0].name, "kept");
    assert_eq!(counts(&telemetry), (1, 1));
}

#[tokio::test]
async fn spans_that_are_rejected_one_by_one_are_counted() {
    const PARTIAL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\x0a\x07\x08\x02\x12\x03bad";
    let collector = Collector::new(&[PARTIAL]);
    let telemetry = collector.telemetry(&[]);
    for _ in 0..3 {
        telemetry.span(Kind::Internal, "x", None).end();
    }
    telemetry.shutdown(LONG).await;
    assert_eq!(counts(&telemetry), (1, 2));
}

#[tokio::test]
async fn without_a_collector_shutdown_ends_and_nothing_waits_for_it() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let lookup = |key: &str| match key {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_BSP_MAX_QUEUE_SIZE" => Some("4".to_owned()),
        _ => None,
    };
    let telemetry = Telemetry::start(Config::from_lookup(lookup, "order").unwrap());
    for _ in 0..100 {
        telemetry.span(Kind::Internal, "x", None).end();
    }
    assert!(telemetry.dropped_spans() > 0);
    telemetry.shutdown(LONG).await;
    assert_eq!(counts(&telemetry).0, 0);
    assert_eq!(telemetry.failed_spans() + telemetry.dropped_spans(), 100);
}

#[tokio::test(start_paused = true)]
async fn shutdown_is_bounded_when_nobody_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let lookup = |key: &str| (key == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let telemetry = Telemetry::start(Config::from_lookup(lookup, "order").unwrap());
    telemetry.span(Kind::Internal, "x", None).end();
    let start = Instant::now();
    telemetry.shutdown(Duration::from_secs(3)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn metrics_and_log_records_are_sent_beside_spans() {
    let collector = Collector::new(&[]);
    let endpoint = format!("http://127.0.0.1:{}", collector.port);
    let lookup = |key: &str| (key == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let telemetry = Telemetry::start(Config::from_lookup(lookup, "order").unwrap());
    telemetry.metrics().counter("orders", "", &[]).add(7);
    let logs = Logs::to(LogConfig::default(), std::io::sink());
    telemetry.collect(&logs);
    let span = telemetry.span(Kind::Server, "x", None);
    let scope = Scope::new(&telemetry, &span, CallId::new("call-1"));
    let code = async { tracing::info!(order = "o-7", "placed") };
    scope
        .run(code)
        .with_subscriber(logs.subscriber(LogConfig::default()))
        .await;
    let context = span.context().clone();
    span.end();
    telemetry.shutdown(LONG).await;
    let posted: HashMap<_, _> = (0..3)
        .map(|_| collector.next())
        .map(|posted| {
            (
                posted.line.split(' ').nth(1).unwrap().to_owned(),
                posted.body,
            )
        })
        .collect();
    let holds = |path: &str, text: &[u8]| posted[path].windows(text.len()).any(|part| part == text);
    assert!(holds("/v1/metrics", b"orders") && holds("/v1/metrics", &7_f64.to_le_bytes()));
    assert_eq!(receiver::decode(&posted["/v1/traces"]).unwrap().len(), 1);
    for text in [
        &b"placed"[..],
        b"o-7",
        b"call-1",
        b"INFO",
        &context.span_id().to_bytes(),
    ] {
        assert!(holds("/v1/logs", text), "{}", String::from_utf8_lossy(text));
    }
}
