//! The end.

use super::help::{Gate, config, eventually, soon};
use openfaas_runtime::Function;
use openfaas_runtime::axum::Router;
use openfaas_runtime::axum::routing::get;
use openfaas_runtime::testing;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// One request on a connection of its own, which the other side ends.
async fn exchange(address: SocketAddr, line: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{line}\r\nhost: f\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Returns once the signal shows.
async fn unhealthy(address: SocketAddr) {
    eventually("health is 503", async || {
        // Until then a connection stays open: HTTP/1.0 ends it.
        exchange(address, "GET /_/health HTTP/1.0")
            .await
            .starts_with("HTTP/1.0 503")
    })
    .await;
}

#[tokio::test]
async fn a_drain_serves_on_closes_each_connection_finishes_what_runs_and_runs_the_hooks() {
    let gate = Gate::default();
    let hooked = Arc::new(AtomicBool::new(false));
    let router = Router::new()
        .route("/gate", get(Gate::pass))
        .route("/", get(async || "new"));
    let function = Function::router(router).state(gate.clone()).on_shutdown({
        let hooked = hooked.clone();
        async move || hooked.store(true, Ordering::SeqCst)
    });
    let pairs = [
        ("healthcheck_interval", "60s"),
        ("drain_quiet", "300ms"),
        ("drain_timeout", "60s"),
    ];
    let running = testing::start(function.config(config(&pairs))).await;
    let address = running.address();
    let inside = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET /gate HTTP/1.1\r\nhost: f\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    });
    gate.entered(1).await;
    let started = Instant::now();
    let stopped = tokio::spawn(running.stop());
    unhealthy(address).await;
    let answer = soon("an answer and its end", exchange(address, "GET / HTTP/1.1")).await;
    assert!(
        answer.ends_with("new") && answer.contains("connection: close"),
        "{answer}"
    );
    for (line, status) in [
        ("GET /_/health HTTP/1.1", "503"),
        ("HEAD /_/health HTTP/1.1", "405"),
        ("GET /_/ready HTTP/1.1", "503"),
    ] {
        let answer = soon("an answer and its end", exchange(address, line)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}"))
                && answer.contains("connection: close"),
            "{line}: {answer}"
        );
    }
    eventually("the socket is closed", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(!hooked.load(Ordering::SeqCst));
    gate.open.notify_one();
    assert!(
        soon("the answer of the call inside", inside)
            .await
            .unwrap()
            .ends_with("through")
    );
    soon("the end of the drain", stopped)
        .await
        .unwrap()
        .unwrap();
    assert!(hooked.load(Ordering::SeqCst));
    assert!(
        started.elapsed() < Duration::from_secs(50),
        "before healthcheck_interval"
    );
}

#[tokio::test]
async fn each_call_after_sigterm_keeps_the_socket_open_for_another_drain_quiet() {
    const QUIET: Duration = Duration::from_secs(1);
    let pairs = [("healthcheck_interval", "60s"), ("drain_quiet", "1s")];
    let running =
        testing::start(Function::http(async || "still here").config(config(&pairs))).await;
    let address = running.address();
    let signal = Instant::now();
    let stopped = tokio::spawn(running.stop());
    unhealthy(address).await;
    // More than half of drain_quiet after the signal, so that it shows which of the two is counted from.
    let mut last = Instant::now();
    while last < signal + QUIET * 6 / 10 {
        last = Instant::now();
        let answer = soon("an answer and its end", exchange(address, "GET / HTTP/1.1")).await;
        assert!(answer.ends_with("still here"), "{answer}");
    }
    eventually("the socket is closed", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    // The last call is kept in whole milliseconds.
    assert!(
        last.elapsed() >= QUIET - Duration::from_millis(1),
        "closed {:?} after the last call, {:?} after the signal",
        last.elapsed(),
        signal.elapsed()
    );
    soon("the end of the drain", stopped)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn what_outlasts_drain_timeout_is_cut_and_healthcheck_interval_of_nought_closes_at_once() {
    let gate = Gate::default();
    let pairs = [("healthcheck_interval", "0"), ("drain_timeout", "300ms")];
    let function = Function::http(Gate::pass)
        .state(gate.clone())
        .config(config(&pairs));
    let running = testing::start(function).await;
    let address = running.address();
    let inside = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        answer
    });
    gate.entered(1).await;
    let started = Instant::now();
    running.stop().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(inside.await.unwrap(), b"");
}
