//! The end.

use super::help::{Gate, config, eventually};
use openfaas_runtime::Function;
use openfaas_runtime::axum::Router;
use openfaas_runtime::axum::routing::get;
use openfaas_runtime::testing;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

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
    let plain = async |path: &str| {
        let mut socket = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: f\r\n\r\n");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    };
    let started = Instant::now();
    let stopped = tokio::spawn(running.stop());
    eventually("health is 503", async || {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET /_/health HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer.starts_with("HTTP/1.1 503")
    })
    .await;
    let answer = plain("/").await.unwrap();
    assert!(
        answer.ends_with("new") && answer.contains("connection: close"),
        "{answer}"
    );
    eventually("the socket is closed", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(!hooked.load(Ordering::SeqCst));
    gate.open.notify_one();
    assert!(inside.await.unwrap().ends_with("through"));
    stopped.await.unwrap().unwrap();
    assert!(hooked.load(Ordering::SeqCst));
    assert!(
        started.elapsed() < Duration::from_secs(50),
        "before healthcheck_interval"
    );
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
