//! A call of a function: what reaches it, and what comes back.

use http::Method;
use openfaas_tests::runner::until;
use serde_json::Value;

use crate::probe::{request, runner};

#[tokio::test]
async fn a_call_reaches_its_function_as_through_the_real_gateway() {
    let runner = runner();
    let sent = request(
        Method::POST,
        "/function/probe.openfaas-fn/a//b%20c?d=%2F",
        &[
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            ("content-type", "text/x-own"),
        ],
        "hello",
    );
    let answer = runner.call(sent).await;
    assert_eq!(answer.status(), 200);
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(seen["uri"], "/a//b%20c?d=%2F");
    assert_eq!(seen["body"], "hello");
    let headers = &seen["headers"];
    assert_eq!(
        headers["traceparent"],
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert_eq!(headers.get("content-length"), None);
    assert!(
        headers["user-agent"]
            .as_str()
            .unwrap()
            .starts_with("openfaas-local/")
    );
    assert!(
        runner
            .gateway
            .ends_with(headers["x-forwarded-host"].as_str().unwrap())
    );
    assert!(
        headers["x-forwarded-for"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(
        headers["x-call-id"],
        answer.headers()["x-call-id"].to_str().unwrap()
    );
    assert_eq!(
        headers["x-start-time"],
        answer.headers()["x-start-time"].to_str().unwrap()
    );
    assert!(
        answer.headers()["x-served-by"]
            .to_str()
            .unwrap()
            .starts_with("openfaas-local/")
    );

    let own_id = request(
        Method::GET,
        "/function/probe/x",
        &[("x-call-id", "mine")],
        "",
    );
    let answer = runner.call(own_id).await;
    let seen: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(seen["headers"]["x-call-id"], "mine");
    assert_eq!(
        seen["headers"].get("transfer-encoding"),
        None,
        "no body, no chunks"
    );
    assert_eq!(answer.headers().get("x-call-id"), None);
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_the_gateways_words() {
    let runner = runner();
    let get = async |path: &str| runner.call(request(Method::GET, path, &[], "")).await;

    let answer = get("/function/nobody").await;
    assert_eq!(answer.status(), 404);
    assert!(
        answer.body().starts_with(b"error finding function nobody"),
        "{:?}",
        answer.body()
    );
    assert_eq!(answer.headers().get("x-openfaas-internal"), None);

    let answer = get("/function/probe/die").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.body()[..]),
        (500, &b"Can't reach service for: probe."[..])
    );
    assert_eq!(answer.headers()["x-openfaas-internal"], "proxy");

    let trace = runner
        .call(request(Method::TRACE, "/function/probe/x", &[], ""))
        .await;
    assert_eq!(
        (trace.status().as_u16(), &trace.body()[..]),
        (405, &b""[..])
    );

    until("the function lives again", async || {
        (runner.get("/function/probe/x").await.0 == 200).then_some(())
    })
    .await;
    let answer = get("/function/probe/status/418").await;
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.headers().get("x-openfaas-internal"), None);
}
