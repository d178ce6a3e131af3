//! How many calls run at one time, and what gives a place back.

use super::help::{Gate, config, eventually, header, soon};
use openfaas_runtime::Function;
use openfaas_runtime::axum::http::Method;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::testing;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn over_the_limit_is_429_word_for_word_and_says_when_to_come_again() {
    let gate = Gate::default();
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&[("max_inflight", "1")]));
    let running = Arc::new(testing::start(function).await);
    let first = tokio::spawn({
        let running = running.clone();
        async move { running.get("/").await }
    });
    gate.entered(1).await;
    let reply = running.get("/").await;
    assert_eq!(reply.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        reply.text(),
        "Concurrent request limit exceeded. Max concurrent requests: 1\n"
    );
    assert_eq!(header(&reply, "content-type"), Some("text/plain"));
    assert_eq!(header(&reply, "retry-after"), Some("1"));
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
    assert_eq!(
        running.get("/_/ready").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(running.get("/_/health").await.status(), StatusCode::OK);

    gate.open.notify_one();
    let first = soon("the answer of the first", first).await;
    assert_eq!(first.unwrap().status(), StatusCode::OK);
    eventually("a place again", async || {
        running.get("/_/ready").await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn callers_may_wait_in_a_queue_for_a_place() {
    let gate = Gate::default();
    let pairs = [
        ("max_inflight", "1"),
        ("max_queue", "1"),
        ("max_queue_wait", "60s"),
    ];
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&pairs));
    let running = Arc::new(testing::start(function).await);
    let call = || {
        let running = running.clone();
        tokio::spawn(async move { running.get("/").await.status() })
    };
    let first = call();
    gate.entered(1).await;
    let second = call();
    eventually("one waits", async || {
        running.metrics().await.contains("openfaas_calls_queued 1")
    })
    .await;
    assert_eq!(
        running.get("/").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    gate.open.notify_one();
    let first = soon("the answer of the first", first).await;
    assert_eq!(first.unwrap(), StatusCode::OK);
    gate.entered(2).await;
    gate.open.notify_one();
    let second = soon("the answer of the second", second).await;
    assert_eq!(second.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_500_frees_its_place_and_the_process_lives() {
    let function = Function::http(async |method: Method| {
        assert_eq!(method, Method::GET, "as planned");
        "well"
    });
    let running = testing::start(function.config(config(&[("max_inflight", "1")]))).await;
    for _ in 0..3 {
        let reply = running.call("panic").await;
        assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.body().is_empty());
        assert_eq!(
            header(&reply, "x-openfaas-internal"),
            Some("openfaas-runtime")
        );
    }
    assert_eq!(running.get("/").await.text(), "well");
}

#[tokio::test]
async fn a_caller_who_leaves_is_an_outcome_of_its_own_and_frees_the_place() {
    let gate = Gate::default();
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&[("max_inflight", "1")]));
    let running = testing::start(function).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
        .await
        .unwrap();
    gate.entered(1).await;
    drop(socket);
    eventually("the place is free", async || {
        running.get("/_/ready").await.status() == StatusCode::OK
    })
    .await;
    let metrics = running.metrics().await;
    assert!(
        metrics.contains("openfaas_calls_unanswered_total{outcome=\"caller_left\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("openfaas_calls_unanswered_total{outcome=\"timeout\"} 0"));
    assert!(metrics.contains("http_requests_total{code=\"499\",method=\"get\"} 1"));
    assert!(metrics.contains("http_requests_in_flight 0"));
}
