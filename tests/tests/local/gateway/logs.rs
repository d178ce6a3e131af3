//! What functions write, by the API.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use openfaas_tests::runner::until;
use rustix::process::Signal;
use serde_json::Value;

use crate::probe::runner;

#[tokio::test]
async fn logs_are_read_by_number_and_time_and_followed() {
    let runner = runner();
    for line in ["one", "two", "three"] {
        runner.post("/function/probe/log", line).await;
    }
    let texts = async |query: &str| {
        let (status, lines) = runner.get(&format!("/system/logs?name=probe{query}")).await;
        assert_eq!(status, 200, "{lines}");
        let text = |line| {
            serde_json::from_str::<Value>(line).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        lines.lines().map(text).collect::<Vec<_>>()
    };
    until("three lines", async || {
        (texts("").await.len() == 4).then_some(())
    })
    .await;
    assert_eq!(texts("&tail=2").await, ["two", "three"]);
    assert_eq!(
        texts("&tail=-1&follow=false").await,
        ["listening", "one", "two", "three"]
    );
    assert_eq!(texts("&since=2000-01-01T02:00:00%2B02:00").await.len(), 4);
    assert!(texts("&since=2100-01-01T00:00:00Z").await.is_empty());
    assert_eq!(runner.get("/system/logs?name=nobody").await.0, 404);
    assert_eq!(
        runner
            .get("/system/logs?name=probe&since=yesterday")
            .await
            .0,
        422
    );

    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<Bytes>>();
    let url = format!(
        "{}/system/logs?name=probe&follow=true&tail=1",
        runner.gateway
    );
    let mut body = client.get(url.parse().unwrap()).await.unwrap().into_body();
    for expected in ["three", "four"] {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&frame).unwrap()["text"],
            expected
        );
        runner.post("/function/probe/log", "four").await;
    }
    runner.signal(Signal::TERM);
    while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
}
