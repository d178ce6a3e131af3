//! Which functions get what.

use http::StatusCode;
use openfaas_delivery::dead_letter::Notes;
use openfaas_tests::runner::until;

use crate::support::{Scene, until_metric};

#[tokio::test]
async fn a_plain_message_reaches_any_function_with_openfaas_headers() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "a plain message").await;
    let call = scene.gateway.until_called(1).await.remove(0);
    assert_eq!(call.path, "/function/order.openfaas-fn/");
    assert_eq!(call.body, "a plain message");
    assert_eq!(call.headers["x-topic"], "orders");
    assert_eq!(call.headers["x-connector"], "openfaas-connector");
    assert_eq!(call.headers["ce-type"], "openfaas.message");
    assert!(call.headers.contains_key("x-call-id"));
    let settled = async || {
        let (_, text) = connector.get("/metrics").await;
        text.contains("outcome=\"settled\"} 1").then_some(())
    };
    until("it is settled", settled).await;
    assert!(
        !connector.output().contains("a plain message"),
        "{}",
        connector.output()
    );
}

#[tokio::test]
async fn what_a_function_refuses_is_a_dead_letter_and_what_it_cannot_do_now_comes_again() {
    let scene = Scene::new(&["orders"]).await;
    let quick = ("com.openfaas.retry.min_wait", "10ms");
    scene.gateway.deploy("order", &[("topic", "orders"), quick]);
    let busy = (StatusCode::SERVICE_UNAVAILABLE, "busy");
    scene
        .gateway
        .answer(&[busy, busy, (StatusCode::UNPROCESSABLE_ENTITY, "never")]);
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "poison").await;
    let letter = async || scene.look.messages("dead-letter.>").await.pop();
    let letter = until("a dead letter", letter).await;
    assert_eq!(letter.body.as_deref(), Some(&b"poison"[..]));
    assert_eq!(scene.gateway.calls().len(), 3);
    let said = async || {
        let output = connector.output();
        output.contains("is a dead letter").then_some(())
    };
    until("the log says so", said).await;
}

#[tokio::test]
async fn functions_that_come_change_and_go_are_followed_without_a_restart() {
    let scene = Scene::new(&["orders", "returns"]).await;
    let connector = scene.connector(&[]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.publish("orders", "one").await;
    scene.gateway.until_called(1).await;
    scene.gateway.deploy("order", &[("topic", "returns")]);
    scene.publish("returns", "two").await;
    let calls = scene.gateway.until_called(2).await;
    assert_eq!(calls[1].headers["x-topic"], "returns");
    scene.gateway.remove("order");
    let drained = async || connector.output().contains("topic=returns").then_some(());
    until("the change is said", drained).await;
    until_metric(
        &connector,
        "openfaas_delivery_ready",
        &["topic=\"returns\""],
        "0",
    )
    .await;
    scene.publish("returns", "three").await;
    assert_eq!(connector.get("/_/ready").await.0, 200);
    assert_eq!(scene.gateway.calls().len(), 2);
}

#[tokio::test]
async fn a_wildcard_reaches_whoever_asks_for_it() {
    let scene = Scene::new(&["orders.>"]).await;
    scene.gateway.deploy("all", &[("topic", "orders.*")]);
    scene.gateway.deploy("one", &[("topic", "orders.new")]);
    let _connector = scene.connector(&[]).await;
    scene.publish("orders.new", "a").await;
    scene.publish("orders.old", "b").await;
    let mut paths: Vec<_> = scene.gateway.until_called(3).await;
    paths.sort_by(|one, other| (&one.path, &one.body).cmp(&(&other.path, &other.body)));
    let seen: Vec<_> = paths
        .iter()
        .map(|call| (call.path.as_str(), &call.body[..]))
        .collect();
    for call in &paths {
        let topic = if call.body == "a" {
            "orders.new"
        } else {
            "orders.old"
        };
        assert_eq!(call.headers["x-topic"], topic, "{}", call.path);
    }
    let all = "/function/all.openfaas-fn/";
    let one = "/function/one.openfaas-fn/";
    assert_eq!(seen, [(all, &b"a"[..]), (all, b"b"), (one, b"a")]);
}

#[tokio::test]
async fn the_last_good_list_stays_while_the_gateway_gives_none() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "one").await;
    scene.gateway.until_called(1).await;
    scene.gateway.break_list(true);
    let failed = async || {
        connector
            .output()
            .contains("the functions cannot be listed")
            .then_some(())
    };
    until("the failure is said", failed).await;
    scene.publish("orders", "two").await;
    scene.gateway.until_called(2).await;
    assert_eq!(connector.get("/_/ready").await, (200, "OK\n".to_owned()));
    let said = connector.output().matches("cannot be listed").count();
    assert_eq!(said, 1, "{}", connector.output());
}

#[tokio::test]
async fn a_function_wired_wrong_keeps_no_other_back() {
    let scene = Scene::new(&["orders"]).await;
    scene
        .gateway
        .deploy("bad", &[("topic", "orders"), ("events.window", "many")]);
    scene.gateway.deploy("good", &[("topic", "orders")]);
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "one").await;
    let calls = scene.gateway.until_called(1).await;
    assert_eq!(calls[0].path, "/function/good.openfaas-fn/");
    let said = async || {
        connector
            .output()
            .contains("bad.openfaas-fn gets no events")
            .then_some(())
    };
    until("what is wrong is said", said).await;
}

#[tokio::test]
async fn a_topic_without_a_stream_is_said_with_the_command_that_makes_one() {
    let scene = Scene::new(&[]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let connector = scene.connector(&[]).await;
    let reason = async || {
        let (status, body) = connector.get("/_/ready").await;
        (status == 503 && body.contains("nats stream add")).then_some(body)
    };
    let reason = until("not ready", reason).await;
    assert!(reason.starts_with("order on orders:"), "{reason}");
    assert_eq!(connector.get("/_/health").await.0, 200);
}

#[tokio::test]
async fn a_gateway_that_cannot_list_its_namespaces_takes_no_function_away() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let connector = scene.connector(&[("rebuild_interval", "100ms")]).await;
    scene.publish("orders", "one").await;
    scene.gateway.until_called(1).await;
    // The functions that it lists without a namespace are those of another one.
    scene
        .gateway
        .break_namespaces(StatusCode::INTERNAL_SERVER_ERROR);
    scene.gateway.remove("order");
    let failed = async || {
        let output = connector.output();
        output
            .contains("the functions cannot be listed")
            .then_some(())
    };
    until("the failure is said", failed).await;
    scene.publish("orders", "two").await;
    scene.gateway.until_called(2).await;
    // Who has none of them lists all there is.
    scene.gateway.break_namespaces(StatusCode::NOT_FOUND);
    let gone = async || connector.output().contains("drains").then_some(());
    until("the function is gone", gone).await;
}

#[tokio::test]
async fn a_call_that_runs_while_the_client_ends_is_settled() {
    let scene = Scene::new(&["orders", "other"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let shared = [("topic", "other"), ("events.order", "none")];
    scene.gateway.deploy("other", &shared);
    let connector = scene.connector(&[("ack_wait", "800ms")]).await;
    scene.gateway.hold(true);
    scene.publish("other", "one").await;
    scene.gateway.until_called(1).await;
    let headers = b"NATS/1.0\r\nX-Name: a\rb\r\n\r\n";
    scene.server.publish_raw("orders", headers, b"two");
    let ended = async || {
        connector
            .output()
            .contains("client of NATS has ended")
            .then_some(())
    };
    until("the client has ended", ended).await;
    scene.gateway.hold(false);
    scene.publish("other", "three").await;
    let called = async || {
        let calls = scene.gateway.calls();
        calls.iter().any(|call| call.body == "three").then_some(())
    };
    until("the next is called", called).await;
    let settled = async || {
        let backlog = scene.look.backlog("other", "openfaas-fn_other_other").await;
        (backlog == 0).then_some(())
    };
    until("nothing waits", settled).await;
}

/// async-nats ends the connection, which all functions of a connector share, for a header that it cannot read, and panics for
/// some.
#[tokio::test]
async fn a_message_that_no_client_has_to_read_is_a_dead_letter_and_stops_nobody() {
    let scene = Scene::new(&["orders", "other"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.gateway.deploy("other", &[("topic", "other")]);
    let connector = scene.connector(&[("ack_wait", "800ms")]).await;
    scene.publish("orders", "one").await;
    let headers = b"NATS/1.0\r\nX-Name: caf\xe9\r\n\r\n";
    scene.server.publish_raw("orders", headers, b"two");
    scene.publish("orders", "three").await;
    let letters = async |count: usize| {
        let letters = async || Some(scene.look.messages("dead-letter.>").await);
        let all = async || letters().await.filter(|letters| letters.len() == count);
        until("a dead letter", all).await
    };
    letters(1).await;
    let headers = b"NATS/1.0\r\nX-Name: a\rb\r\n\r\n";
    scene.server.publish_raw("orders", headers, b"twice");
    for (letter, body) in letters(2).await.iter().zip([&b"two"[..], b"twice"]) {
        assert_eq!(letter.body.as_deref(), Some(body));
        let notes = Notes::of(letter).unwrap();
        assert!(notes.reason.contains("\"X-Name\""), "{notes:?}");
    }
    scene.publish("other", "four").await;
    let called = async || {
        let calls = scene.gateway.calls();
        let has = |body: &str| calls.iter().any(|call| call.body == body);
        (has("one") && has("three") && has("four")).then_some(())
    };
    until("all others are called", called).await;
    let settled = async || {
        let (_, text) = connector.get("/metrics").await;
        let lags = text
            .lines()
            .filter(|line| line.starts_with("openfaas_delivery_lag_messages{"));
        lags.map(|line| line.ends_with(" 0"))
            .reduce(|all, one| all && one)
    };
    until("nothing waits", async || settled().await.filter(|all| *all)).await;
}
