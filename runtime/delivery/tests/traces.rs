//! The spans of deliveries, as a collector gets them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::batch::{BatchAnswer, Entry};
use openfaas_delivery::call::{Answer, Call, Outcome};
use openfaas_delivery::engine::{Control, Delivery, Engine};
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, ReplyTopics, Wiring};
use openfaas_telemetry::receiver::{ReceivedSpan, ReceivedValue, decode};
use openfaas_telemetry::{Config, Kind, Telemetry, TraceContext};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A function that answers what it is told to, and keeps the calls.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Outcome>>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Target for Scripted {
    async fn call(&self, call: Call) -> Outcome {
        self.calls.lock().unwrap().push(call);
        let next = self.answers.lock().unwrap().pop_front();
        next.unwrap_or_else(|| answer(204, ""))
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// What was called, and the spans that came of it.
struct Seen {
    calls: Vec<Call>,
    spans: Vec<ReceivedSpan>,
    replies: Vec<String>,
}

fn answer(status: u16, body: &str) -> Outcome {
    let status = StatusCode::from_u16(status).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/plain".parse().unwrap());
    Outcome::Answered(Answer::new(status, headers, body.to_owned()))
}

fn event(id: &str, trace: &TraceContext) -> Event {
    Event::new("t", Data::text("12345"))
        .with_id(id)
        .with_source("/s")
        .with_extension("traceparent", trace.traceparent())
}

/// Delivers these events to a function that gives these answers, until all are settled.
async fn deliver(events: &[Event], answers: impl Into<VecDeque<Outcome>>, batch: usize) -> Seen {
    let (endpoint, bodies) = collector().await;
    let lookup = |key: &str| (key == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let telemetry = Telemetry::start(Config::from_lookup(lookup, "connector").unwrap());
    let bus = Bus::new(Limits::default());
    for event in events {
        bus.publish_event("in", event, Format::Binary).unwrap();
    }
    let function = Scripted {
        answers: Arc::new(Mutex::new(answers.into())),
        ..Scripted::default()
    };
    let mut wiring = Wiring::new("f", "fn", ["in"]);
    wiring.replies = ReplyTopics::parse("out").unwrap();
    wiring.retry.min_wait = Duration::from_millis(1);
    wiring.batch_size = batch;
    wiring.batch_linger = Duration::from_millis(if batch > 1 { 200 } else { 0 });
    let durable = wiring.durable("in");
    let engine = Engine::new(bus.clone(), function.clone(), ()).traced(&telemetry, "memory");
    let control = Control::new();
    let settled = async {
        while bus.backlog(&durable) != Some(0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        control.drain();
    };
    let run = async { tokio::join!(engine.run(Delivery::to(wiring), &control), settled) };
    tokio::time::timeout(Duration::from_secs(30), run)
        .await
        .expect("all is settled");
    telemetry.shutdown(Duration::from_secs(10)).await;
    let spans = bodies
        .lock()
        .unwrap()
        .iter()
        .flat_map(|body| decode(body).unwrap())
        .collect();
    let traceparent = |message: &Arc<openfaas_delivery::broker::Message>| {
        message
            .header("ce_traceparent")
            .or(message.header("ce-traceparent"))
            .map(str::to_owned)
    };
    Seen {
        calls: std::mem::take(&mut function.calls.lock().unwrap()),
        spans,
        replies: bus.messages("out").iter().filter_map(traceparent).collect(),
    }
}

/// A collector: its address, and the bodies it was sent.
async fn collector() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::default();
    let kept = Arc::clone(&bodies);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(collect(stream, Arc::clone(&kept)));
        }
    });
    (endpoint, bodies)
}

/// Reads requests; keeps those with spans.
async fn collect(mut stream: TcpStream, bodies: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut read = Vec::new();
    while stream
        .read_buf(&mut read)
        .await
        .is_ok_and(|count| count > 0)
    {
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        if read.len() < end + 4 + length {
            continue;
        }
        if head.starts_with("post /v1/traces") {
            bodies.lock().unwrap().push(read[end + 4..].to_vec());
        }
        read.clear();
        let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(ok).await.unwrap();
    }
}

fn text<'a>(span: &'a ReceivedSpan, name: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| match value {
        ReceivedValue::Str(text) => text.as_str(),
        other => panic!("{name} is {other:?}"),
    })
}

#[tokio::test]
async fn each_attempt_is_a_span_below_the_event_and_the_call_bears_it() {
    let origin = TraceContext::new_root(true);
    let answers = [
        answer(503, "later"),
        Outcome::Cut("connection reset".to_owned()),
        answer(204, ""),
    ];
    let seen = deliver(&[event("one", &origin)], answers, 1).await;
    let told: Vec<_> = seen
        .spans
        .iter()
        .map(|span| {
            assert_eq!((&*span.name, span.kind), ("process in", Kind::Consumer));
            assert_eq!(
                (span.trace_id, span.parent),
                (origin.trace_id(), Some(origin.span_id()))
            );
            assert_eq!(text(span, "messaging.message.id"), Some("one"));
            (
                text(span, "openfaas.delivery.outcome").unwrap(),
                text(span, "error.type"),
            )
        })
        .collect();
    let expected = [
        ("retry", Some("503")),
        ("unanswered", Some("cut")),
        ("done", None),
    ];
    assert_eq!(told, expected);
    let borne = seen
        .calls
        .iter()
        .map(|call| call.trace.as_ref().unwrap().span_id());
    assert!(borne.eq(seen.spans.iter().map(|span| span.span_id)));
}

#[tokio::test]
async fn the_last_attempt_says_that_a_dead_letter_follows() {
    let origin = TraceContext::new_root(true);
    let seen = deliver(&[event("one", &origin)], [answer(422, "never")], 1).await;
    let outcome = text(&seen.spans[0], "openfaas.delivery.outcome");
    assert_eq!(outcome, Some("dead_letter"));
}

#[tokio::test]
async fn what_nobody_samples_goes_on_without_a_span() {
    let origin = TraceContext::new_root(false);
    let seen = deliver(&[event("one", &origin)], [], 1).await;
    assert_eq!(seen.spans, []);
    let borne = seen.calls[0].trace.as_ref().unwrap();
    assert_eq!(
        (borne.trace_id(), borne.sampled()),
        (origin.trace_id(), false)
    );
}

#[tokio::test]
async fn a_batch_has_a_span_of_its_own_that_is_linked_to_each_event() {
    let origins = [TraceContext::new_root(true), TraceContext::new_root(true)];
    let events = [event("one", &origins[0]), event("two", &origins[1])];
    let results = vec![Entry::done(), Entry::done()];
    let body = serde_json::to_string(&BatchAnswer { results }).unwrap();
    let seen = deliver(&events, [answer(207, &body)], 2).await;
    let [span] = &seen.spans[..] else {
        panic!("{:?}", seen.spans);
    };
    assert_eq!(span.parent, None);
    let links: Vec<_> = span
        .links
        .iter()
        .map(|link| (link.trace_id, link.span_id))
        .collect();
    assert_eq!(
        links,
        origins
            .each_ref()
            .map(|origin| (origin.trace_id(), origin.span_id()))
    );
    assert_eq!(
        seen.calls[0].trace.as_ref().unwrap().span_id(),
        span.span_id
    );
    for (event, origin) in seen.calls[0].payload.events().iter().zip(&origins) {
        assert_eq!(
            event.text("traceparent").as_deref(),
            Some(&*origin.traceparent())
        );
    }
    assert_eq!(text(span, "openfaas.delivery.outcome"), Some("done"));
}

#[tokio::test]
async fn a_reply_that_names_no_span_was_made_by_the_attempt() {
    let origin = TraceContext::new_root(true);
    let seen = deliver(&[event("one", &origin)], [answer(200, "thanks")], 1).await;
    let span = &seen.spans[0];
    let made_by = TraceContext::new(span.trace_id, span.span_id, origin.flags());
    assert_eq!(seen.replies, [made_by.traceparent()]);
}
