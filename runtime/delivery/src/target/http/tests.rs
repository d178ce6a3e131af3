//! Against real sockets: a server per test that reads requests and then does as its script says.

mod server;
mod unanswered;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::{Data, Event, Limits, json};
use openfaas_telemetry::TraceContext;

use self::server::{Server, Then};
use super::{HEAD, HEADER_LINES, HttpTarget};
use crate::answer::{Rules, State, Verdict};
use crate::call::{Call, Outcome, Payload};
use crate::target::Target;
use crate::wiring::{Codes, Format};

fn order() -> Arc<Event> {
    let data = Data::json(r#"{"total":12.50}"#);
    Arc::new(
        Event::new("order.placed", data)
            .with_id("A-17")
            .with_source("/shop"),
    )
}

fn call(payload: Payload) -> Call {
    Call {
        function: "order".into(),
        namespace: "".into(),
        topic: "orders".into(),
        connector: "openfaas-local".into(),
        call_id: "call-1".into(),
        payload,
        format: Format::Binary,
        attempt: Some(3),
        timeout: Duration::from_secs(60),
        headers: http::HeaderMap::new(),
        trace: None,
    }
}

/// What the engine would make of it.
fn verdict(outcome: &Outcome) -> Verdict {
    let rules = Rules {
        codes: &Codes::default(),
        replies: true,
        limits: &Limits::default(),
    };
    Verdict::of(outcome, &rules, SystemTime::UNIX_EPOCH)
}

fn state(outcome: &Outcome) -> State {
    match verdict(outcome) {
        Verdict::Unavailable(unavailable) => unavailable.state,
        other => panic!("{other:?}"),
    }
}

/// One call through a gateway whose server does this.
async fn through_gateway(then: Then) -> Outcome {
    let server = Server::start(then).await;
    HttpTarget::gateway(&server.url)
        .unwrap()
        .call(call(Payload::One(order())))
        .await
}

#[tokio::test]
async fn one_event_is_sent_with_its_attributes_in_headers() {
    let mut server = Server::start(Then::Answer("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let target = HttpTarget::gateway(&format!("{}/", server.url)).unwrap();
    let trace = TraceContext::parse(
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ["a=b"],
    );
    let outcome = target
        .call(Call {
            trace,
            ..call(Payload::One(order()))
        })
        .await;
    assert_eq!(verdict(&outcome), Verdict::Done { replies: vec![] });

    let request = server.request().await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head
        .lines()
        .filter(|line| !line.starts_with("host: "))
        .collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "POST /function/order/ HTTP/1.1",
            "accept-encoding: identity",
            "ce-id: A-17",
            "ce-source: /shop",
            "ce-specversion: 1.0",
            "ce-type: order.placed",
            "content-length: 15",
            "content-type: application/json",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate: a=b",
            "user-agent: openfaas-local",
            "x-call-id: call-1",
            "x-connector: openfaas-local",
            "x-delivery-attempt: 3",
            "x-timeout: 59s",
            "x-topic: orders",
        ]
    );
    assert_eq!(body, r#"{"total":12.50}"#);
}

#[tokio::test]
async fn what_is_said_of_a_message_takes_no_more_lines_than_a_server_does() {
    let mut server = Server::start(Then::Answer("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let target = HttpTarget::gateway(&server.url).unwrap();
    let headers = (0..1_000).map(|number| {
        let name = format!("x-kafka-{number}").parse().unwrap();
        (name, http::HeaderValue::from_static("said"))
    });
    let call = Call {
        headers: headers.collect(),
        ..call(Payload::One(order()))
    };
    assert_eq!(
        verdict(&target.call(call).await),
        Verdict::Done { replies: vec![] }
    );
    let request = server.request().await;
    let lines = request.split_once("\r\n\r\n").unwrap().0.lines().count();
    assert!((50..100).contains(&lines), "{lines}");
}

#[tokio::test]
async fn a_structured_event_is_one_document_and_a_namespace_part_of_the_name() {
    let mut server = Server::start(Then::Answer("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let target = HttpTarget::gateway(&server.url).unwrap();
    let call = Call {
        format: Format::Structured,
        namespace: "dev".into(),
        ..call(Payload::One(order()))
    };
    target.call(call).await;

    let request = server.request().await;
    assert!(
        request.starts_with("POST /function/order.dev/ HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("content-type: application/cloudevents+json"),
        "{request}"
    );
    assert!(!request.contains("ce-id"), "{request}");
}

#[tokio::test]
async fn a_batch_is_an_array_and_has_no_attempt() {
    let mut server = Server::start(Then::Answer("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let target = HttpTarget::gateway(&server.url).unwrap();
    let events = vec![order(), order()];
    target
        .call(Call {
            attempt: None,
            ..call(Payload::Batch(events))
        })
        .await;

    let request = server.request().await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("content-type: application/cloudevents-batch+json"),
        "{head}"
    );
    assert!(!head.contains("x-delivery-attempt"), "{head}");
    let events = json::decode_batch(body.to_owned().into()).unwrap();
    assert_eq!(events, [(*order()).clone(), (*order()).clone()]);
}

#[tokio::test]
async fn a_short_timeout_leaves_the_function_half_of_it() {
    let mut server = Server::start(Then::Answer("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let target = HttpTarget::gateway(&server.url).unwrap();
    target
        .call(Call {
            timeout: Duration::from_millis(1500),
            ..call(Payload::One(order()))
        })
        .await;
    assert!(server.request().await.contains("x-timeout: 750ms\r\n"));
}

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let mut server = Server::start(Then::Answer(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ))
    .await;
    let target = HttpTarget::gateway(&server.url).unwrap();
    for _ in 0..3 {
        target.call(call(Payload::One(order()))).await;
        assert_eq!(
            server.requests.recv().await.unwrap().0,
            0,
            "a second connection"
        );
    }
}

#[tokio::test]
async fn called_directly_an_empty_404_is_the_functions_own() {
    let server = Server::start(Then::Answer(
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    let url = server.url.clone();
    let target = HttpTarget::direct(move |_, function| (function == "order").then(|| url.clone()));
    let outcome = target.call(call(Payload::One(order()))).await;
    assert!(
        matches!(verdict(&outcome), Verdict::Reject { .. }),
        "{outcome:?}"
    );

    let outcome = target
        .call(Call {
            function: "other".into(),
            ..call(Payload::One(order()))
        })
        .await;
    assert_eq!(state(&outcome), State::Down);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let mut server = Server::start(Then::Answer(
        "HTTP/1.1 302 Found\r\nlocation: /function/other\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    let target = HttpTarget::gateway(&server.url).unwrap();
    let outcome = target.call(call(Payload::One(order()))).await;
    assert!(
        matches!(verdict(&outcome), Verdict::Reject { .. }),
        "{outcome:?}"
    );
    server.request().await;
    assert!(server.requests.try_recv().is_err(), "a second request");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_left_out() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nlarger",
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nlar\r\n3\r\nger\r\n0\r\n\r\n",
    ] {
        let server = Server::start(Then::Answer(answer)).await;
        let target = HttpTarget::gateway(&server.url).unwrap();
        let outcome = target
            .clone()
            .with_largest_answer(5)
            .call(call(Payload::One(order())))
            .await;
        let Outcome::Answered(kept) = &outcome else {
            panic!("{outcome:?}")
        };
        assert!(kept.oversized && kept.body.is_empty());
        assert!(matches!(verdict(&outcome), Verdict::Reject { .. }));

        let outcome = target
            .with_largest_answer(6)
            .call(call(Payload::One(order())))
            .await;
        let Outcome::Answered(kept) = &outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(kept.body, "larger");
    }
}

#[tokio::test]
async fn many_headers_are_read_and_too_many_are_an_answer_all_the_same() {
    let outcome = through_gateway(Then::Headers(HEADER_LINES, 64)).await;
    assert_eq!(verdict(&outcome), Verdict::Done { replies: vec![] });
    for then in [
        Then::Headers(HEADER_LINES + 1, 64),
        Then::Headers(HEADER_LINES / 2, HEAD / 400),
    ] {
        let outcome = through_gateway(then).await;
        let Verdict::Retry { reason, .. } = verdict(&outcome) else {
            panic!("{outcome:?}")
        };
        assert!(
            reason.contains("message head is too large; up to 1000 header lines and 400 KiB are"),
            "{reason}"
        );
    }
    let garbled = Then::AnswerAndClose("HTTP/1.1 204 No Content\r\nno header\r\n\r\n");
    let outcome = through_gateway(garbled).await;
    assert!(
        matches!(verdict(&outcome), Verdict::Retry { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn health_is_asked_of_the_function_itself() {
    for (answer, healthy) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nOK",
            true,
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false),
        (
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 500 Internal Server Error\r\nx-openfaas-internal: proxy\r\ncontent-length: 0\r\n\r\n",
            false,
        ),
    ] {
        let mut server = Server::start(Then::Answer(answer)).await;
        let target = HttpTarget::gateway(&server.url).unwrap();
        assert_eq!(target.healthy("", "order").await, healthy, "{answer}");
        assert!(
            server
                .request()
                .await
                .starts_with("GET /function/order/_/health HTTP/1.1\r\n")
        );
    }
    let closing = Server::start(Then::Close).await;
    assert!(
        !HttpTarget::gateway(&closing.url)
            .unwrap()
            .healthy("", "order")
            .await
    );
}

#[test]
fn a_gateway_that_cannot_be_called_is_refused_with_a_remedy() {
    for (url, problem) in [
        ("gateway:8080", "it does not begin with http:// and a host"),
        (
            "https://gateway",
            "it does not begin with http:// and a host",
        ),
        ("http://", "it is no URL"),
        ("http://gateway?x=1", "it has a query"),
    ] {
        let error = HttpTarget::gateway(url).unwrap_err();
        assert_eq!(error.problem, problem, "{url}");
    }
    let text = HttpTarget::gateway("gateway").unwrap_err().to_string();
    assert!(
        text.ends_with("write it like http://gateway.openfaas:8080"),
        "{text}"
    );
}

#[tokio::test]
async fn a_queued_call_goes_to_the_gateways_queue_and_its_health_check_to_the_function() {
    let mut server = Server::start(Then::Answer(
        "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    let target = HttpTarget::gateway(&server.url).unwrap().queued();
    let outcome = target.call(call(Payload::One(order()))).await;
    assert!(
        matches!(verdict(&outcome), Verdict::Done { .. }),
        "{outcome:?}"
    );
    let request = server.request().await;
    assert!(
        request.starts_with("POST /async-function/order/ HTTP/1.1\r\n"),
        "{request}"
    );
    target.healthy("", "order").await;
    let request = server.request().await;
    assert!(
        request.starts_with("GET /function/order/_/health HTTP/1.1\r\n"),
        "{request}"
    );
}
