//! What becomes of events: in batches, past filters, too large, and by way of the gateway's queue.

use http::StatusCode;
use openfaas_tests::runner::until;
use serde_json::Value;

use crate::support::{Plain, Scene, publish_to_nats, until_metric};

const LAG: &str = "openfaas_delivery_lag_messages";
const EVENTS: &str = "openfaas_delivery_events_total";

/// An event of this type, which is its id too.
fn event(ty: &'static str) -> Plain {
    Plain {
        topic: "orders",
        attributes: vec![
            ("specversion", "1.0"),
            ("id", ty),
            ("type", ty),
            ("source", "/test"),
        ],
        body: "data".to_owned(),
        ..Plain::default()
    }
}

#[tokio::test]
async fn events_share_a_call_where_their_function_wants_it_so() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy(
        "order",
        &[
            ("topic", "orders"),
            ("events.batch-size", "3"),
            ("events.batch-linger", "1m"),
        ],
    );
    let results = r#"{"results":[{"status":204},{"status":422,"error":"never"},{"status":204}]}"#;
    scene.gateway.answer(&[(StatusCode::MULTI_STATUS, results)]);
    let connector = scene.connector(&[]).await;
    for body in ["one", "two", "three"] {
        scene.publish("orders", body).await;
    }
    let call = scene.gateway.until_called(1).await.remove(0);
    let media_type = &call.headers["content-type"];
    assert_eq!(media_type, "application/cloudevents-batch+json");
    let batch: Vec<Value> = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(batch.len(), 3);
    let letter = async || scene.look.messages("dead-letter.>").await.pop();
    let letter = until("a dead letter", letter).await;
    assert_eq!(letter.body.as_deref(), Some(&b"two"[..]));
    until_metric(&connector, EVENTS, &["outcome=\"settled\""], "3").await;
    assert_eq!(scene.gateway.calls().len(), 1);
}

#[tokio::test]
async fn what_a_filter_leaves_out_is_done_without_a_call() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy(
        "order",
        &[("topic", "orders"), ("events.filter", "type=wanted")],
    );
    let connector = scene.connector(&[]).await;
    for ty in ["other", "wanted", "another"] {
        publish_to_nats(&scene.look, event(ty)).await;
    }
    until_metric(&connector, EVENTS, &["outcome=\"settled\""], "3").await;
    until_metric(&connector, EVENTS, &["outcome=\"filtered\""], "2").await;
    let calls = scene.gateway.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].headers["ce-type"], "wanted");
}

#[tokio::test]
async fn what_an_expression_of_cloudevents_sql_leaves_out_is_done_without_a_call() {
    let scene = Scene::new(&["orders"]).await;
    let wanted = "type LIKE 'order.%' AND (EXISTS total) AND total > 9";
    scene
        .gateway
        .deploy("order", &[("topic", "orders"), ("events.filter", wanted)]);
    let connector = scene.connector(&[]).await;
    let of = |ty, total| {
        let mut event = event(ty);
        event.attributes.push(("total", total));
        event
    };
    for event in [
        event("order.without"),
        of("order.cheap", "9"),
        of("order.dear", "10"),
        of("payment.dear", "10"),
        // What cannot be computed is not wanted either.
        of("order.odd", "ten"),
        of("order.dearer", "11"),
    ] {
        publish_to_nats(&scene.look, event).await;
    }
    until_metric(&connector, EVENTS, &["outcome=\"settled\""], "6").await;
    until_metric(&connector, EVENTS, &["outcome=\"filtered\""], "4").await;
    let calls = scene.gateway.calls();
    let mut called: Vec<_> = calls.iter().map(|call| &call.headers["ce-type"]).collect();
    called.sort();
    assert_eq!(called, ["order.dear", "order.dearer"]);
    until_metric(&connector, LAG, &["function=\"order\""], "0").await;
    assert!(scene.look.messages("dead-letter.>").await.is_empty());
}

#[tokio::test]
async fn what_is_too_large_for_a_gateway_is_a_dead_letter_that_says_so() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene
        .gateway
        .answer(&[(StatusCode::PAYLOAD_TOO_LARGE, "more than 4 of: secret body")]);
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "secret body").await;
    let letter = async || scene.look.messages("dead-letter.>").await.pop();
    let letter = until("a dead letter", letter).await;
    let notes = letter.header("openfaas-dead-letter").unwrap();
    assert!(
        notes.contains("answered 413 Payload Too Large: more than 4"),
        "{notes}"
    );
    let said = async || Some(connector.output()).filter(|said| said.contains("answered 413"));
    let said = until("the log says so", said).await;
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(scene.gateway.calls().len(), 1);
}

#[tokio::test]
async fn by_way_of_the_queue_what_it_takes_is_done_and_replies_are_refused() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.gateway.deploy(
        "replying",
        &[("topic", "orders"), ("events.reply-topic", "orders")],
    );
    scene
        .gateway
        .answer(&[(StatusCode::ACCEPTED, "secret answer")]);
    let connector = scene
        .connector(&[
            ("asynchronous_invocation", "true"),
            ("print_response", "true"),
        ])
        .await;
    scene.publish("orders", "secret body").await;
    let calls = scene.gateway.until_called(1).await;
    assert_eq!(calls[0].path, "/async-function/order.openfaas-fn/");
    until_metric(&connector, EVENTS, &["outcome=\"settled\""], "1").await;
    let said = async || Some(connector.output()).filter(|said| said.contains("answered after"));
    let said = until("the answer is printed", said).await;
    for part in [
        "retries, order and dead letters end there",
        "replying.openfaas-fn gets no events: it has a reply topic",
        "status=202",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test]
async fn lag_and_its_age_are_shown_while_a_function_takes_its_time() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.gateway.hold(true);
    let connector = scene.connector(&[]).await;
    for body in ["one", "two", "three"] {
        scene.publish("orders", body).await;
    }
    let labels = [
        "function=\"order\"",
        "function_namespace=\"openfaas-fn\"",
        "topic=\"orders\"",
    ];
    until_metric(&connector, LAG, &labels, "3").await;
    until_metric(
        &connector,
        "openfaas_delivery_in_flight_messages",
        &labels,
        "3",
    )
    .await;
    let (_, text) = connector.get("/metrics").await;
    let mut lines = text.lines();
    let age = lines.find(|line| line.starts_with("openfaas_delivery_oldest_seconds{"));
    let age: f64 = age.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(age > 0.0 && age < 120.0, "{age}");
    scene.gateway.hold(false);
    until_metric(&connector, LAG, &labels, "0").await;
}
