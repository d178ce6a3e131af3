//! What a function exports, as the real OpenTelemetry Collector takes it and passes it on.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use openfaas_telemetry::receiver::{ReceivedSpan, ReceivedValue, Status, decode};
use openfaas_telemetry::{Kind, TraceContext};
use openfaas_tests::tools;
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

/// A program that tells what it does on stderr, and is gone when this is dropped.
struct Program {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let said = String::new();
        Self { child, lines, said }
    }

    /// Reads on until a line holds `text`.
    fn says(&mut self, text: &str) {
        let end = Instant::now() + LONG;
        while !self.said.contains(text) {
            match self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said = format!("{}{line}\n", self.said),
                Err(error) => panic!("{text}: {error}\n{}", self.said),
            }
        }
    }

    /// Asks it to end, and gives back everything it said.
    fn end(mut self) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let end = Instant::now() + LONG;
        loop {
            match self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said = format!("{}{line}\n", self.said),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("does not end\n{}", self.said),
            }
        }
        assert!(self.child.wait().unwrap().success(), "{}", self.said);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A Collector that shows everything and sends spans on to `port`.
fn collector(otelcol: &Path, folder: &Path, port: u16) -> (Program, u16) {
    let receive = free_port();
    let config = format!(
        "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{receive}'}}}}}}}}
exporters:
  debug: {{verbosity: detailed}}
  otlphttp: {{endpoint: 'http://127.0.0.1:{port}', compression: none}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [debug, otlphttp]}}
    metrics: {{receivers: [otlp], exporters: [debug]}}
    logs: {{receivers: [otlp], exporters: [debug]}}
"
    );
    let file = folder.join("collector.yaml");
    std::fs::write(&file, config).unwrap();
    let mut collector = Program::start(Command::new(otelcol).arg("--config").arg(&file));
    collector.says("Everything is ready");
    (collector, receive)
}

/// The function, exporting to a Collector on `receive`.
fn function(folder: &Path, receive: u16) -> (Program, u16) {
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_traced-fixture"));
    command
        .env_clear()
        .env("port", port.to_string())
        .env("metrics_port", free_port().to_string())
        .env("TMPDIR", folder)
        .env("OPENFAAS_NAME", "orders")
        .env("gateway_url", format!("http://127.0.0.1:{port}"))
        .env("healthcheck_interval", "0")
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://127.0.0.1:{receive}"),
        )
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        );
    (Program::start(&mut command), port)
}

/// Where the Collector sends spans: the port, and the spans.
async fn receiver() -> (u16, tokio::sync::mpsc::UnboundedReceiver<ReceivedSpan>) {
    let (sender, spans) = tokio::sync::mpsc::unbounded_channel();
    let take = async move |body: Bytes| {
        let received = decode(&body).unwrap();
        received
            .into_iter()
            .try_for_each(|span| sender.send(span).map_err(drop))
            .unwrap();
        StatusCode::OK
    };
    let routes = Router::new().route("/v1/traces", post(take));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async { axum::serve(listener, routes).await });
    (port, spans)
}

/// The status of the answer, once there is one.
async fn get(port: u16, path: &str) -> u16 {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let end = Instant::now() + LONG;
    loop {
        let request = http::Request::get(format!("http://127.0.0.1:{port}{path}"))
            .header("traceparent", PARENT)
            .header("x-call-id", "call-7")
            .body(Empty::new());
        match client.request(request.unwrap()).await {
            Ok(response) => return response.status().as_u16(),
            Err(error) => assert!(error.is_connect() && Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn named<'a>(spans: &'a [ReceivedSpan], name: &str) -> &'a ReceivedSpan {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("{name}: {spans:#?}"))
}

fn attribute<'a>(span: &'a ReceivedSpan, key: &str) -> &'a ReceivedValue {
    span.attribute(key)
        .unwrap_or_else(|| panic!("{key}: {span:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_takes_spans_metrics_and_logs_of_a_function() {
    let Some(otelcol) = tools::needed("otelcol", "what a function exports to a real Collector")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (port, mut arrived) = receiver().await;
    let (collector, receive) = collector(&otelcol, folder.path(), port);
    let (function, port) = function(folder.path(), receive);
    assert_eq!(get(port, "/orders/o-7").await, 200);
    assert_eq!(get(port, "/broken").await, 500);
    let said = function.end();

    let mut spans = Vec::new();
    while spans.len() < 5 {
        let next = tokio::time::timeout(LONG, arrived.recv()).await;
        spans.push(
            next.unwrap_or_else(|_| panic!("{spans:#?}\n{said}"))
                .unwrap(),
        );
    }
    let parent = TraceContext::parse(PARENT, []).unwrap();
    for span in &spans {
        assert_eq!(
            (&*span.service, span.trace_id),
            ("orders", parent.trace_id()),
            "{span:#?}"
        );
        assert_eq!(span.flags, parent.flags(), "{span:#?}");
        assert!(span.end >= span.start, "{span:#?}");
    }

    let server = named(&spans, "GET /orders/{id}");
    assert_eq!(
        (server.kind, server.parent),
        (Kind::Server, Some(parent.span_id()))
    );
    assert_eq!(
        (server.parent_is_remote, &server.status),
        (Some(true), &Status::Unset)
    );
    assert_eq!(attribute(server, "url.path").as_str(), Some("/orders/o-7"));
    assert_eq!(
        attribute(server, "http.response.status_code").as_int(),
        Some(200)
    );
    assert_eq!(attribute(server, "faas.trigger").as_str(), Some("http"));
    assert_eq!(
        attribute(server, "faas.invocation_id").as_str(),
        Some("call-7")
    );
    assert_eq!(
        attribute(server, "faas.coldstart"),
        &ReceivedValue::Bool(true)
    );

    let author = named(&spans, "pricing");
    assert_eq!(
        (author.kind, author.parent),
        (Kind::Internal, Some(server.span_id))
    );
    assert_eq!(attribute(author, "order").as_str(), Some("o-7"));

    let client = named(&spans, "POST /function/price");
    let calls = spans.iter().filter(|span| span.name == client.name);
    let client = calls
        .clone()
        .find(|span| span.kind == Kind::Client)
        .unwrap();
    assert_eq!(client.parent, Some(author.span_id));
    assert_eq!(
        attribute(client, "faas.invoked_name").as_str(),
        Some("price")
    );
    let callee = calls
        .clone()
        .find(|span| span.kind == Kind::Server)
        .unwrap();
    assert_eq!(
        (callee.parent, callee.parent_is_remote),
        (Some(client.span_id), Some(true))
    );

    let broken = named(&spans, "GET /broken");
    assert_eq!(broken.status, Status::Error(String::new()));
    assert_eq!(attribute(broken, "error.type").as_str(), Some("500"));

    let seen = collector.end();
    for text in [
        "deployment.environment.name: Str(test)",
        "faas.name: Str(orders)",
        "Name: http.server.request.duration",
        "Name: orders_priced_total",
        "Body: Str(order priced)",
        "-> price: Str(7)",
        &format!("Span ID: {}", author.span_id),
    ] {
        assert!(seen.contains(text), "{text}\n{seen}");
    }
    assert!(
        !said.contains("are lost") && !said.contains("rejected"),
        "{said}"
    );
    let line = said.lines().find(|line| line.contains("order priced"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    for id in [
        "call_id=call-7",
        "trace_id=0af7651916cd43dd8448eb211c80319c",
        "in pricing{order=o-7}",
    ] {
        assert!(line.contains(id), "{line}");
    }
}
