//! Bodies that come and go in pieces.

use super::help::{config, eventually, raw};
use futures_util::StreamExt;
use futures_util::stream;
use openfaas_runtime::BoxError;
use openfaas_runtime::Function;
use openfaas_runtime::axum::body::Body;
use openfaas_runtime::axum::http::Request;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::testing;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Chunks as they are sent, with the time between them.
fn chunks(count: usize, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(0, move |sent| async move {
        if sent == count {
            return None;
        }
        if sent > 0 {
            tokio::time::sleep(pause).await;
        }
        Some((Ok::<_, BoxError>(format!("data: {sent}\n\n")), sent + 1))
    }))
}

#[tokio::test]
async fn a_stream_is_sent_chunk_by_chunk_and_outlives_exec_timeout() {
    let handler = async || chunks(6, Duration::from_millis(150));
    let function = Function::http(handler).config(config(&[("exec_timeout", "400ms")]));
    let running = testing::start(function).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    let mut reads = 0;
    while !seen.contains("data: 5") {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(30), socket.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(read > 0, "the stream was cut: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        reads += 1;
    }
    assert!(reads >= 2, "all at once: {reads} reads");
}

#[tokio::test]
async fn a_stream_that_stands_still_is_cut() {
    let handler = async || {
        let stuck = stream::once(async { Ok::<_, BoxError>("first") }).chain(stream::pending());
        Body::from_stream(stuck)
    };
    let running =
        testing::start(Function::http(handler).config(config(&[("write_timeout", "400ms")]))).await;
    let answer = raw(&running, b"GET / HTTP/1.1\r\nhost: f\r\n\r\n").await;
    assert!(
        answer.contains("first") && !answer.ends_with("0\r\n\r\n"),
        "cut, not ended: {answer}"
    );
    assert!(
        running
            .metrics()
            .await
            .contains("openfaas_calls_unanswered_total{outcome=\"idle\"} 1")
    );
}

#[tokio::test]
async fn a_streamed_answer_keeps_its_place_to_the_end() {
    let (body, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (body, open) = (body.clone(), open.clone());
        async move || {
            let rest = stream::once(async move {
                body.notify_one();
                open.notified().await;
                Ok::<_, BoxError>("last")
            });
            Body::from_stream(stream::iter([Ok("first")]).chain(rest))
        }
    };
    let function = Function::http(handler).config(config(&[("max_inflight", "1")]));
    let running = Arc::new(testing::start(function).await);
    let call = tokio::spawn({
        let running = running.clone();
        async move { running.get("/").await.text() }
    });
    body.notified().await;
    assert_eq!(
        running.get("/_/ready").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    open.notify_one();
    assert_eq!(call.await.unwrap(), "firstlast");
    eventually("a place again", async || {
        running.get("/_/ready").await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_request_is_streamed_to_the_handler_whatever_its_length() {
    let count = async |body: Body| {
        let mut bytes = 0;
        let mut frames = body.into_data_stream();
        while let Some(frame) = frames.next().await {
            bytes += frame.unwrap().len();
        }
        bytes.to_string()
    };
    let running = testing::start(Function::http(count)).await;
    let twelve_mib = vec![b'x'; 12 << 20];
    assert_eq!(
        running
            .call(Request::post("/").body(twelve_mib).unwrap())
            .await
            .text(),
        (12 << 20).to_string()
    );
}

#[tokio::test]
async fn a_caller_who_takes_nothing_is_given_up() {
    let endless = async || {
        Body::from_stream(stream::repeat_with(|| {
            Ok::<_, BoxError>(vec![0_u8; 64 << 10])
        }))
    };
    let running =
        testing::start(Function::http(endless).config(config(&[("write_timeout", "500ms")]))).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: f\r\n\r\n")
        .await
        .unwrap();
    eventually("it is given up", async || {
        running
            .metrics()
            .await
            .contains("http_requests_in_flight 0")
    })
    .await;
}
