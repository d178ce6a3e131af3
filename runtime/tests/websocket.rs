//! A connection that a handler takes over: it counts until it is closed.
#![cfg(feature = "ws")]

use std::time::{Duration, Instant};

use openfaas_runtime::{
    Config, Function,
    axum::{
        extract::ws::{WebSocket, WebSocketUpgrade},
        response::Response,
    },
    testing,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn handler(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

/// A text frame with a mask of noughts, as a client sends it.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[tokio::test]
async fn a_websocket_echoes_outlives_exec_timeout_and_keeps_its_place_until_it_is_closed() {
    let pairs = [("exec_timeout", "2s"), ("max_inflight", "1")];
    let lookup = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    let function = Function::http(handler).config(Config::from_lookup(lookup).unwrap());
    let running = testing::start(function).await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    let upgrade = "GET / HTTP/1.1\r\nhost: f\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{head}"
    );

    let opened = Instant::now();
    while opened.elapsed() < Duration::from_millis(2500) {
        socket.write_all(&masked("ping")).await.unwrap();
        let mut frame = [0; 6];
        socket.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame, b"\x81\x04ping");
        assert_eq!(running.get("/_/ready").await.status(), 429);
    }
    drop(socket);
    let deadline = Instant::now() + Duration::from_secs(30);
    while running.get("/_/ready").await.status() != 200 {
        assert!(Instant::now() < deadline, "the place is not free again");
    }
    assert!(
        running
            .metrics()
            .await
            .contains("http_requests_total{code=\"101\",method=\"get\"} 1")
    );
}
