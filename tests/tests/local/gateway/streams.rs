//! Bodies that come bit by bit, and connections that become something else.

use bytes::Bytes;
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openfaas_tests::conversation::Conversation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::probe::runner;

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let runner = runner();
    let mut echo = Conversation::begin(&runner, "/function/probe/stream", "one").await;
    assert_eq!(echo.heard().await, Some("one".into()));
    for sent in ["two", "three"] {
        echo.say(sent);
        assert_eq!(
            echo.heard().await,
            Some(sent.into()),
            "while the request still goes on"
        );
    }
    echo.finish();
    assert_eq!(echo.heard().await, None);
}

#[tokio::test]
async fn a_connection_can_become_something_else() {
    let runner = runner();
    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<Bytes>>();
    let request = Request::get(format!("{}/function/probe/upgrade", runner.gateway))
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .body(Default::default())
        .unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["upgrade"], "websocket");
    let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    for sent in ["ping", "pong"] {
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut received = [0; 4];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(received, sent.as_bytes());
    }
}
