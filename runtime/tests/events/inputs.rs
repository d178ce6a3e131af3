//! What comes in: events, what is none, and what is too large.

use openfaas_runtime::{
    Context, Data, Event, Function,
    axum::http::{Method, Request, StatusCode},
    testing,
};
use serde_json::json;

use crate::help::{config, header, order};

#[tokio::test]
async fn two_media_types_that_differ_are_refused() {
    for (second, status) in [
        ("text/plain", StatusCode::NO_CONTENT),
        ("application/cloudevents+json", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::post("/")
            .header("content-type", "text/plain")
            .header("content-type", second)
            .body("hello")
            .unwrap();
        let reply = testing::call(Function::event(async |_: Event<Data>| ()), request).await;
        assert_eq!(reply.status(), status, "{second}: {}", reply.text());
    }
}

#[tokio::test]
async fn what_is_no_cloudevent_is_wrapped_and_its_body_kept() {
    let echo = async |event: Event<Data>, context: Context| {
        assert_eq!(event.ty(), "openfaas.invocation");
        assert_eq!(event.source(), "/function/pay");
        assert_eq!(event.id(), context.call_id());
        Event::new("echo", event.into_data())
    };
    let function = Function::event(echo).config(config(&[("OPENFAAS_NAME", "pay")]));
    let request = Request::post("/")
        .header("content-type", "text/plain")
        .header("x-call-id", "call-9")
        .body("hello")
        .unwrap();
    let reply = testing::start(function).await.call(request).await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::OK, "hello")
    );
    assert_eq!(header(&reply, "ce-causationid"), Some("call-9"));
}

#[tokio::test]
async fn a_broken_cloudevent_is_400_and_never_wrapped() {
    let function = Function::event(async |_: Event<Data>| ());
    let request = Request::post("/")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .body("{}")
        .unwrap();
    let reply = testing::call(function, request).await;
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert!(
        reply.text().contains("`source`") || reply.text().contains("`type`"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn a_body_over_max_body_is_413() {
    let function = Function::event(async |_: Event<Data>| ()).config(config(&[("max_body", "10")]));
    let running = testing::start(function).await;
    let reply = running.call("12345678901").await;
    assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
    assert_eq!(
        running.call("1234567890").await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn what_is_larger_than_an_event_or_a_batch_may_be_is_413_with_a_sentence() {
    let running = testing::start(Function::event(async |_: Event<Data>| ())).await;
    let large = || order(1).with_extension("note", "x".repeat(64 << 10));
    let structured = |name: &str, body: String| {
        Request::post("/")
            .header("content-type", format!("application/{name}"))
            .body(body)
            .unwrap()
    };
    let json = serde_json::to_string(&json!({
        "specversion": "1.0", "id": "1", "source": "/", "type": "t", "note": "x".repeat(64 << 10),
    }));
    let json = json.unwrap();
    let attributes = "attributes (bytes) of ";
    for (reply, sentence) in [
        (running.call(large()).await, attributes.to_owned()),
        (
            running
                .call(structured("cloudevents+json", json.clone()))
                .await,
            attributes.to_owned(),
        ),
        (
            running
                .call(structured("cloudevents-batch+json", format!("[{json}]")))
                .await,
            format!("event 0 of the batch: {attributes}"),
        ),
        (
            running.call(vec![order(1); 10_001]).await,
            "a batch (events) of 10001 is over the limit of 10000".to_owned(),
        ),
    ] {
        assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE, "{sentence}");
        assert!(reply.text().starts_with(&sentence), "{}", reply.text());
    }
    assert_eq!(
        running.call(order(1)).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn any_method_and_path_reach_a_handler_of_events() {
    let running = testing::start(Function::event(async |_: Event<Data>| ())).await;
    for (method, path) in [
        (Method::GET, "/"),
        (Method::PUT, "//a/../b?x=1"),
        (Method::from_bytes(b"BREW").unwrap(), "/pot"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body("")
            .unwrap();
        assert_eq!(
            running.call(request).await.status(),
            StatusCode::NO_CONTENT,
            "{path}"
        );
    }
}
