//! Calls to other functions: what they carry, and when they are refused. The gateway here is a function that tells what
//! it was asked.

use std::time::Duration;

use openfaas_runtime::{
    Config, Context, Data, Event, Function, Gateway, GatewayError,
    axum::{
        Json,
        body::{Body, Bytes},
        http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    },
    testing::{self, Running},
};
use serde_json::{Value, json};

/// Answers with what it was asked; 202 to what is queued.
async fn echo(
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let headers: serde_json::Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
        .collect();
    let status = match uri.path().starts_with("/async-function/") {
        true => StatusCode::ACCEPTED,
        false => StatusCode::OK,
    };
    let asked = json!({
        "method": method.as_str(),
        "target": uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    (status, Json(asked))
}

async fn gateway() -> (Running, String) {
    let running = testing::start(Function::http(echo)).await;
    let url = format!("http://{}", running.address());
    (running, url)
}

fn at(url: &str) -> Gateway {
    Gateway::at(url.parse().unwrap())
}

fn config(url: &str) -> Config {
    let url = url.to_owned();
    let lookup = move |key: &str| match key {
        "gateway_url" => Some(url.clone()),
        "OPENFAAS_NAME" => Some("caller".to_owned()),
        _ => None,
    };
    Config::from_lookup(lookup).unwrap()
}

#[tokio::test]
async fn a_call_carries_id_trace_hops_and_what_is_left_of_the_deadline() {
    let (_echo, url) = gateway().await;
    let handler = async |gateway: Gateway| {
        let call = gateway
            .call("price.openfaas-fn")
            .path("/a?b=1")
            .json(&[1, 2])
            .unwrap();
        call.send().await.unwrap().into_body()
    };
    let running = testing::start(Function::http(handler).config(config(&url))).await;
    let request = openfaas_runtime::axum::http::Request::get("/")
        .header("x-call-id", "call-1")
        .header("x-hop-count", "3")
        .header("x-timeout", "9s")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .header("tracestate", "vendor=1")
        .body("")
        .unwrap();
    let asked: Value = running.call(request).await.json().unwrap();
    assert_eq!(asked["method"], "POST");
    assert_eq!(asked["target"], "/function/price.openfaas-fn/a?b=1");
    assert_eq!(asked["body"], "[1,2]");
    let header = |name: &str| {
        asked["headers"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-call-id"), "call-1");
    assert_eq!(header("x-hop-count"), "4");
    assert!(
        header("traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
        "{asked}"
    );
    assert_eq!(header("tracestate"), "vendor=1");
    let timeout = header("x-timeout");
    assert!(
        timeout.ends_with("ms") && timeout.starts_with('8'),
        "{timeout}"
    );
}

#[tokio::test]
async fn an_event_sent_on_names_its_cause_and_its_chain() {
    let (_echo, url) = gateway().await;
    let handler = async |event: Event<Data>, context: Context| {
        let next = Event::new("next", json!({ "n": 1 }));
        let reply = context
            .gateway()
            .call("next")
            .event(next)
            .unwrap()
            .send()
            .await
            .unwrap();
        Event::new(event.ty(), reply.json::<Value>().unwrap())
    };
    let running = testing::start(Function::event(handler).config(config(&url))).await;
    let event = Event::new("first", 1)
        .with_id("e-1")
        .with_source("/shop")
        .with_extension("hopcount", 6);
    let reply = running
        .call(event.with_extension("partitionkey", "k"))
        .await;
    let asked = &reply.events::<Value>().unwrap()[0];
    let header = |name: &str| {
        asked.data()["headers"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(header("ce-type"), "next");
    assert_eq!(header("ce-source"), "/function/caller");
    assert_eq!(header("ce-causationid"), "e-1");
    assert_eq!(header("ce-correlationid"), "e-1");
    assert_eq!(header("ce-hopcount"), "7");
    assert_eq!(header("ce-partitionkey"), "k");
    assert_eq!(header("x-hop-count"), "7");
    assert!(!header("ce-id").is_empty());
}

#[tokio::test]
async fn a_queued_call_goes_to_the_async_door_with_its_callback_and_no_timeout() {
    let (_echo, url) = gateway().await;
    let gateway = at(&url);
    let reply = gateway
        .call("mail")
        .body("hi")
        .callback("http://caller/done")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::ACCEPTED);
    let asked: Value = reply.json().unwrap();
    assert_eq!(asked["target"], "/async-function/mail");
    assert_eq!(asked["headers"]["x-callback-url"], "http://caller/done");
    assert_eq!(asked["headers"]["x-timeout"], Value::Null);
}

#[tokio::test]
async fn past_the_hop_limit_and_past_the_deadline_nothing_is_sent() {
    let (echo, url) = gateway().await;
    let handler = async |gateway: Gateway| match gateway.call("again").send().await {
        Err(GatewayError::TooManyHops { hops, limit, .. }) => format!("{hops} of {limit}"),
        other => format!("{other:?}"),
    };
    let running = testing::start(Function::http(handler).config(config(&url))).await;
    let request = openfaas_runtime::axum::http::Request::get("/")
        .header("x-hop-count", "32")
        .body("")
        .unwrap();
    assert_eq!(running.call(request).await.text(), "33 of 32");

    let late = Context::default()
        .with_gateway(at(&url))
        .with_remaining(Duration::ZERO);
    let error = late.gateway().call("late").send().await.unwrap_err();
    assert!(matches!(error, GatewayError::Deadline { .. }), "{error}");
    assert!(!echo.metrics().await.contains("method=\"post\""));
}

#[tokio::test]
async fn events_max_hops_says_how_long_a_chain_of_calls_may_be() {
    let (_echo, url) = gateway().await;
    let again = async |gateway: Gateway| match gateway.call("again").send().await {
        Err(GatewayError::TooManyHops { hops, limit, .. }) => format!("{hops} of {limit}"),
        reply => reply.unwrap().json::<Value>().unwrap()["headers"]["x-hop-count"].to_string(),
    };
    let config = Config::from_lookup(|key| match key {
        "gateway_url" => Some(url.clone()),
        "events_max_hops" => Some("100".to_owned()),
        _ => None,
    });
    let running = testing::start(Function::http(again).config(config.unwrap())).await;
    for (hops, answer) in [("32", "\"33\""), ("99", "\"100\""), ("100", "101 of 100")] {
        let request = openfaas_runtime::axum::http::Request::get("/")
            .header("x-hop-count", hops)
            .body("")
            .unwrap();
        assert_eq!(running.call(request).await.text(), answer);
    }
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_the_callers_deadline_is_not_waited_for() {
    let slow = testing::start(Function::http(async || std::future::pending::<()>().await)).await;
    let url = format!("http://{}", slow.address());
    let context = Context::default()
        .with_gateway(at(&url))
        .with_remaining(Duration::from_millis(80));
    let error = context.gateway().call("slow").send().await.unwrap_err();
    assert_eq!(error.to_string(), "no answer from slow within the deadline");
}

#[tokio::test]
async fn what_cannot_be_sent_or_reached_is_said_with_the_functions_name() {
    let gateway = at("http://127.0.0.1:1");
    let error = gateway.call("down").send().await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot reach down through http://127.0.0.1:1"),
        "{error}"
    );
    for (request, words) in [
        (gateway.call("a/b"), "a function's name"),
        (gateway.call(""), "a function's name"),
        (gateway.call("f").path("x"), "does not begin with"),
        (gateway.call("f").header("bad name", "x"), "is no header"),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_status_other_than_2xx_is_an_error_when_asked_for() {
    let refusing = testing::start(Function::http(async || (StatusCode::CONFLICT, "twice"))).await;
    let gateway = at(&format!("http://{}", refusing.address()));
    let reply = gateway.call("f").send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::CONFLICT);
    let error = reply.ok().unwrap_err();
    assert_eq!(error.to_string(), "f answered 409 Conflict: twice");
}

#[tokio::test]
async fn an_answer_over_max_reply_is_an_error_and_read_no_further() {
    let long = async || {
        let chunk = Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 1024]));
        Body::from_stream(futures_util::stream::iter(std::iter::repeat_n(
            chunk,
            32 << 10,
        )))
    };
    let answering = testing::start(Function::http(long)).await;
    let url = format!("http://{}", answering.address());
    for (limit, words) in [
        (
            None,
            "the answer of f is longer than max_reply, 10485760 bytes",
        ),
        (
            Some("4KiB"),
            "the answer of f is longer than max_reply, 4096 bytes",
        ),
    ] {
        let lookup = |key: &str| match key {
            "gateway_url" => Some(url.clone()),
            "max_reply" => limit.map(str::to_owned),
            _ => None,
        };
        let handler = async |gateway: Gateway| match gateway.call("f").send().await {
            Err(error @ GatewayError::TooLarge { .. }) => error.to_string(),
            Err(other) => other.to_string(),
            Ok(reply) => format!("read {} bytes", reply.body().len()),
        };
        let config = Config::from_lookup(lookup).unwrap();
        let running = testing::start(Function::http(handler).config(config)).await;
        assert_eq!(running.get("/").await.text(), words);
    }
}

#[tokio::test]
async fn many_headers_are_read_and_too_many_are_said() {
    let lines = async |uri: Uri| {
        let count = uri.path().trim_start_matches("/function/").parse().unwrap();
        let name = HeaderName::from_static("x-line");
        let line = |_| (name.clone(), HeaderValue::from_static("x"));
        (0..count).map(line).collect::<HeaderMap>()
    };
    let running = testing::start(Function::http(lines)).await;
    let gateway = at(&format!("http://{}", running.address()));
    let reply = gateway.call("900").send().await.unwrap();
    assert_eq!(reply.headers().get_all("x-line").iter().count(), 900);
    let error = gateway.call("1001").send().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer of 1001 has more than 1000 header lines or 400 KiB of them"
    );
}

#[tokio::test]
async fn an_answer_of_just_max_reply_is_read() {
    let answering = testing::start(Function::http(async || vec![b'x'; 10 << 20])).await;
    let gateway = at(&format!("http://{}", answering.address()));
    assert_eq!(
        gateway.call("f").send().await.unwrap().body().len(),
        10 << 20
    );
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn https_without_the_feature_says_which_one_it_needs() {
    let error = at("https://localhost:1").call("f").send().await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot reach f through https://localhost:1/: `https://` needs the feature `tls` of openfaas-runtime"
    );
}
