//! Calls that nobody waits for.

use http::Method;
use openfaas_tests::runner::{PATIENCE, until};
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::probe::{request, runner, runner_with};

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_retried_and_calls_back() {
    let runner = runner();
    let callback = (
        "x-callback-url",
        "http://gateway.openfaas:8080/function/probe/keep?from=fail",
    );
    let headers = [callback, ("x-call-id", "c-1")];
    let answer = runner
        .call(request(
            Method::POST,
            "/async-function/probe/fail/2",
            &headers,
            "x",
        ))
        .await;
    assert_eq!(answer.status(), 202);
    assert!(answer.body().is_empty());
    let kept = until("the callback", async || {
        let kept = runner.json("/function/probe/keep").await;
        kept.get(0).cloned()
    })
    .await;
    assert_eq!(kept["query"]["from"], "fail");
    let headers = &kept["headers"];
    assert_eq!(headers["x-function-status"], "200");
    assert_eq!(headers["x-function-name"], "probe");
    assert_eq!(headers["x-call-id"], "c-1");
    assert_eq!(headers["x-retry"], "2");
    assert_eq!(headers["x-retry-max"], "10");
    assert!(
        headers["x-duration-seconds"]
            .as_str()
            .unwrap()
            .parse::<f64>()
            .unwrap()
            > 0.0
    );
    assert_eq!(runner.json("/function/probe/calls").await["2"], 3);
}

#[tokio::test]
async fn an_answer_that_asks_for_no_retry_is_the_last() {
    let runner = runner();
    let callback = format!("{}/function/probe/keep", runner.gateway);
    let headers = [("x-callback-url", callback.as_str())];
    let answer = runner
        .call(request(
            Method::POST,
            "/async-function/probe/status/404",
            &headers,
            "",
        ))
        .await;
    assert_eq!(answer.status(), 202);
    let kept = until("the callback", async || {
        runner.json("/function/probe/keep").await.get(0).cloned()
    })
    .await;
    assert_eq!(
        (
            &kept["headers"]["x-function-status"],
            &kept["headers"]["x-retry"]
        ),
        (&json!("404"), &json!("0"))
    );
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let runner = runner_with(&["--async-queue", "1"]);
    let post = async |path: &str| runner.call(request(Method::POST, path, &[], "")).await;
    assert_eq!(post("/async-function/probe/slow/3000").await.status(), 202);
    let refused = post("/async-function/probe/x").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(post("/async-function/nobody").await.status(), 404);
    let get = runner.get("/async-function/probe/x").await;
    assert_eq!(get.0, 405);
    until("room again", async || {
        (post("/async-function/probe/x").await.status() == 202).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_wrong_callback_is_refused() {
    let runner = runner();
    for url in ["nowhere", "https://example.com/", "ftp://example.com/"] {
        let headers = [("x-callback-url", url)];
        let answer = runner
            .call(request(Method::POST, "/async-function/probe", &headers, ""))
            .await;
        assert_eq!(answer.status(), 400, "{url}");
    }
}

#[tokio::test]
async fn a_callback_that_is_never_answered_does_not_hold_up_the_end_of_a_run() {
    let mut runner = runner();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = format!("http://{}/", silent.local_addr().unwrap());
    let headers = [("x-callback-url", callback.as_str())];
    let answer = runner
        .call(request(Method::POST, "/async-function/probe", &headers, ""))
        .await;
    assert_eq!(answer.status(), 202);
    let called = timeout(PATIENCE, silent.accept()).await;
    let _open = called.expect("the callback is made").unwrap();
    runner.signal(Signal::TERM);
    assert_eq!(runner.wait(), Some(0), "{}", runner.output());
    let said = "1 calls that nobody waits for, or their callbacks, were not done";
    assert!(runner.output().contains(said), "{}", runner.output());
}
