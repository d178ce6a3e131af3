//! What a request may be, and what is refused.

use super::help::{config, get_with, raw};
use openfaas_runtime::Function;
use openfaas_runtime::axum::body::Bytes;
use openfaas_runtime::axum::http::Request;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::testing;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn an_extractor_reads_ten_mib_and_max_body_moves_that() {
    let length = async |body: Bytes| body.len().to_string();
    let upload = |size: usize| Request::post("/").body(vec![b'x'; size]).unwrap();
    let running = testing::start(Function::http(length)).await;
    assert_eq!(
        running.call(upload(10 << 20)).await.text(),
        (10 << 20).to_string()
    );
    assert_eq!(
        running.call(upload((10 << 20) + 1)).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let running =
        testing::start(Function::http(length).config(config(&[("max_body", "11MiB")]))).await;
    assert_eq!(
        running.call(upload((10 << 20) + 1)).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_chunked_body_over_max_body_is_413_too() {
    let running = testing::start(
        Function::http(async |body: Bytes| body).config(config(&[("max_body", "4")])),
    )
    .await;
    let request =
        b"POST / HTTP/1.1\r\nhost: f\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = raw(&running, request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("x-openfaas-internal: openfaas-runtime"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_slow_body_is_408_and_slow_headers_end_the_connection() {
    let pairs = [("read_timeout", "500ms")];
    let running =
        testing::start(Function::http(async |body: Bytes| body).config(config(&pairs))).await;
    let answer = raw(
        &running,
        b"POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 10\r\n\r\nhal",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"),
        "{answer}"
    );
    let started = Instant::now();
    let answer = raw(&running, b"GET / HTTP/1.1\r\nhost: f\r\nx-slow: ").await;
    assert!(!answer.contains("200"), "{answer}");
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert_eq!(
        raw(&running, b"").await,
        "",
        "an idle connection ends in the same time"
    );
}

#[tokio::test]
async fn what_is_no_proper_request_is_refused() {
    let running = testing::start(Function::http(async || "reached")).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        (
            "POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: f\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            "POST / HTTP/1.1\r\nhost: f\r\ncontent-length: -1\r\n\r\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\nhost: f\r\nbad header\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: f\r\nx : y\r\n\r\n", "400"),
        ("GET /\0 HTTP/1.1\r\nhost: f\r\n\r\n", "400"),
        ("\x16\x03\x01\x02\0\x01\0\x01", ""),
    ] {
        let mut request = request.to_owned();
        if status.is_empty() {
            request.push_str(&"\r\n".repeat(2));
        }
        let answer = raw(&running, request.as_bytes()).await;
        assert!(!answer.contains("reached"), "{request:?}: {answer}");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request:?}: {answer}"
        );
    }
    assert_eq!(running.get("/").await.text(), "reached");
}

#[tokio::test]
async fn a_request_with_two_lengths_is_read_as_chunks_and_is_the_last_of_its_connection() {
    let reached = Arc::new(AtomicUsize::new(0));
    let handler = {
        let reached = reached.clone();
        async move |body: Bytes| {
            reached.fetch_add(1, Ordering::SeqCst);
            body
        }
    };
    let running = testing::start(Function::http(handler)).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: f\r\n\r\n";
    for (count, lengths) in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ]
    .into_iter()
    .enumerate()
    {
        let request = format!(
            "POST /front HTTP/1.1\r\nhost: f\r\n{lengths}\r\n\r\n2\r\nhi\r\n0\r\n\r\n{smuggled}"
        );
        let answer = raw(&running, request.as_bytes()).await;
        assert!(
            answer.contains("connection: close") && answer.ends_with("\r\n\r\nhi"),
            "{answer}"
        );
        assert_eq!(reached.load(Ordering::SeqCst), count + 1, "{lengths}");
    }
}

#[tokio::test]
async fn a_transfer_encoding_other_than_chunked_once_is_501_and_the_last_of_its_connection() {
    let running = testing::start(Function::http(async |body: Bytes| body)).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: f\r\n\r\n";
    for path in ["/front", "/_/health", "/_/ready"] {
        for encodings in [
            "transfer-encoding: chunked, chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        ] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: f\r\n{encodings}\r\n\r\n2\r\nhi\r\n0\r\n\r\n{smuggled}"
            );
            let answer = raw(&running, request.as_bytes()).await;
            assert!(
                answer.starts_with("HTTP/1.1 501 ") && answer.contains("connection: close"),
                "{path} {encodings}: {answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
    }
    let chunked = "POST / HTTP/1.1\r\nhost: f\r\ntransfer-encoding: Chunked\r\nconnection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert!(
        raw(&running, chunked.as_bytes())
            .await
            .ends_with("\r\n\r\nhi")
    );
}

#[tokio::test]
async fn a_length_and_then_chunks_on_one_connection_are_two_requests() {
    let running = testing::start(Function::http(async |body: Bytes| body)).await;
    let answer = raw(
        &running,
        b"POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 6\r\n\r\nfirst;\
          POST / HTTP/1.1\r\nhost: f\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n6\r\nsecond\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert!(
        answer.contains("first;") && answer.ends_with("second"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431_and_a_long_uri_414() {
    let running = testing::start(Function::http(async || "reached")).await;
    let large = format!(
        "GET / HTTP/1.1\r\nhost: f\r\nx-large: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    assert!(
        raw(&running, large.as_bytes())
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let many = format!(
        "GET / HTTP/1.1\r\nhost: f\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    assert!(
        raw(&running, many.as_bytes())
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let long = format!("GET /{} HTTP/1.1\r\nhost: f\r\n\r\n", "x".repeat(70_000));
    assert!(
        raw(&running, long.as_bytes())
            .await
            .starts_with("HTTP/1.1 414 ")
    );
    let wide = get_with("/", &[("x-wide", &"x".repeat(60_000))]);
    assert_eq!(running.call(wide).await.text(), "reached");
}

#[tokio::test]
async fn expect_continue_is_answered_and_http_1_0_too() {
    let running = testing::start(Function::http(async |body: Bytes| body)).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"POST / HTTP/1.1\r\nhost: f\r\ncontent-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 25];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"ok").await.unwrap();
    let mut rest = String::new();
    socket.read_to_string(&mut rest).await.unwrap();
    assert!(
        rest.starts_with("HTTP/1.1 200 OK") && rest.ends_with("ok"),
        "{rest}"
    );
    let old = raw(&running, b"POST / HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi").await;
    assert!(
        old.starts_with("HTTP/1.0 200 OK") && old.ends_with("hi"),
        "{old}"
    );
}
