use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use tracing::instrument::WithSubscriber;

use super::*;
use crate::{CallId, Kind, Telemetry, TraceContext};

const LONG: Duration = Duration::from_secs(20);

/// What was written so far.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn config(variables: &[(&str, &str)]) -> LogConfig {
    let find = |key: &str| variables.iter().find(|(known, _)| *known == key);
    LogConfig::from_lookup(|key| find(key).map(|(_, value)| (*value).to_owned())).unwrap()
}

/// The lines that `code` logs inside a call, without their times.
async fn logged(
    variables: &[(&str, &str)],
    code: impl Future<Output = ()>,
) -> (String, TraceContext) {
    let out = Shared::default();
    let config = config(variables);
    let logs = Logs::to(config.clone(), out.clone());
    let telemetry = Telemetry::disabled();
    let span = telemetry.span(Kind::Server, "call", None);
    let scope = Scope::new(&telemetry, &span, CallId::new("call-1"));
    scope
        .run(code)
        .with_subscriber(logs.subscriber(config))
        .await;
    assert!(logs.flush(LONG));
    (out.text(), span.context().clone())
}

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bank is away")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn code() {
    let _span = tracing::info_span!("charge", order = 7, currency = "EUR").entered();
    let error = Outer(io::Error::other("refused"));
    let error: &(dyn Error + 'static) = &error;
    tracing::warn!(target: "payment", error, tries = 3_u64, share = 0.5, ok = false, "it {} well", "went");
}

#[tokio::test]
async fn a_text_line_has_everything_a_person_wants() {
    let (text, context) = logged(&[], async { code() }).await;
    let expected = format!(
        "Z  WARN payment: it went well error=the bank is away: refused tries=3 share=0.5 ok=false \
         in charge{{order=7 currency=EUR}} call_id=call-1 trace_id={} span_id={}\n",
        context.trace_id(),
        context.span_id()
    );
    assert_eq!(text["2026-01-01T00:00:00.000".len()..], expected);
}

#[tokio::test]
async fn a_json_line_is_one_object() {
    let (text, context) = logged(&[("log_format", "json")], async { code() }).await;
    let expected = format!(
        "Z\",\"level\":\"WARN\",\"target\":\"payment\",\"message\":\"it went well\",\
         \"fields\":{{\"error\":\"the bank is away: refused\",\"tries\":3,\"share\":0.5,\"ok\":false}},\
         \"spans\":[{{\"name\":\"charge\",\"order\":7,\"currency\":\"EUR\"}}],\
         \"call_id\":\"call-1\",\"trace_id\":\"{}\",\"span_id\":\"{}\"}}\n",
        context.trace_id(),
        context.span_id()
    );
    assert_eq!(
        text["{\"time\":\"2026-01-01T00:00:00.000".len()..],
        expected
    );
}

#[tokio::test]
async fn a_line_outside_of_a_call_has_no_ids() {
    let out = Shared::default();
    let logs = Logs::to(LogConfig::default(), out.clone());
    tracing::dispatcher::with_default(&logs.subscriber(LogConfig::default()), || {
        tracing::info!("listening");
    });
    assert!(logs.flush(LONG));
    let text = out.text();
    assert!(
        text.ends_with("  INFO openfaas_telemetry::logs::tests: listening\n"),
        "{text}"
    );
}

fn request(context: &TraceContext) -> Request<'_> {
    Request {
        method: "GET",
        target: "/x?a=\"b\"",
        status: 503,
        bytes: 210,
        duration: Duration::from_micros(1_004_299),
        call_id: "call-1",
        context,
        bracketed_call_id: false,
        outcome: None,
    }
}

fn requested(variables: &[(&str, &str)], request: &Request<'_>) -> String {
    let out = Shared::default();
    let logs = Logs::to(config(variables), out.clone());
    logs.request(request);
    assert!(logs.flush(LONG));
    out.text()
}

#[test]
fn a_request_is_of_watchdogs_line_with_ids() {
    let context = TraceContext::new_root(true);
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    let text = requested(&[], &request(&context));
    let expected = format!(
        "Z  WARN GET /x?a=\"b\" - 503 Service Unavailable - ContentLength: 210B (1.0042s) \
         call_id=call-1 trace_id={trace_id} span_id={span_id}\n"
    );
    assert_eq!(text["2026-01-01T00:00:00.000".len()..], expected);

    let bracketed = Request {
        bracketed_call_id: true,
        ..request(&context)
    };
    assert!(requested(&[], &bracketed).contains("(1.0042s) [call-1] call_id=call-1"));

    let ended = Request {
        status: 200,
        call_id: "",
        outcome: Some("client_gone"),
        ..request(&context)
    };
    let json = requested(&[("log_format", "json")], &ended);
    let expected = format!(
        "Z\",\"level\":\"INFO\",\"target\":\"request\",\"message\":\"GET /x?a=\\\"b\\\" - 200 OK\",\
         \"fields\":{{\"method\":\"GET\",\"path\":\"/x?a=\\\"b\\\"\",\"status\":200,\"bytes\":210,\
         \"seconds\":1.0042,\"outcome\":\"client_gone\"}},\
         \"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\"}}\n"
    );
    assert_eq!(
        json["{\"time\":\"2026-01-01T00:00:00.000".len()..],
        expected
    );
}

#[test]
fn a_request_with_an_endless_path_is_one_bounded_line() {
    let context = TraceContext::new_root(true);
    let path = format!("/{}", "x".repeat(100_000));
    for format in ["text", "json"] {
        let request = Request {
            target: &path,
            ..request(&context)
        };
        let text = requested(
            &[("log_format", format), ("log_buffer_size", "2048")],
            &request,
        );
        assert!(text.len() <= 2048 && text.contains("call-1"), "{text}");
        assert_eq!(text.matches('\n').count(), 1);
    }
}

/// A reader that takes nothing until it is told to.
struct Blocked {
    started: Sender<()>,
    go_on: Receiver<()>,
    out: Shared,
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.started.send(());
        let _ = self.go_on.recv();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_stands_still_costs_lines_and_not_time() {
    let (started, has_started) = channel();
    let (release, go_on) = channel();
    let out = Shared::default();
    let blocked = Blocked {
        started,
        go_on,
        out: out.clone(),
    };
    let logs = Logs::to(LogConfig::default(), blocked);
    let context = TraceContext::new_root(true);
    logs.request(&request(&context));
    has_started.recv_timeout(LONG).unwrap();
    for _ in 0..10_000 {
        logs.request(&request(&context));
    }
    let dropped = logs.dropped();
    assert!((1..10_000).contains(&dropped), "{dropped}");
    assert!(!logs.flush(Duration::from_millis(1)));
    drop(release);
    assert!(logs.flush(LONG));
    let text = out.text();
    assert_eq!(text.matches("GET /x").count() as u64 + dropped, 10_001);
    assert!(
        text.contains(&format!("count={dropped}\n")),
        "{}",
        &text[text.len() - 200..]
    );
}

/// A pipe whose other end is gone, for a while.
struct Closed(u32, Shared);

impl Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_sub(1);
        match self.0 {
            0 => self.1.write(bytes),
            1 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_loses_what_was_written_to_it_and_no_more() {
    let out = Shared::default();
    let logs = Logs::to(LogConfig::default(), Closed(4, out.clone()));
    let context = TraceContext::new_root(true);
    logs.request(&request(&context));
    assert!(logs.flush(LONG));
    assert_eq!((logs.dropped(), out.text()), (1, String::new()));
    logs.request(&request(&context));
    assert!(logs.flush(LONG));
    let text = out.text();
    assert!(text.starts_with("2") && text.contains("GET /x"), "{text}");
    assert!(text.contains("lines were dropped"), "{text}");
}
