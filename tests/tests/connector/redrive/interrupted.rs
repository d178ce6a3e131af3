//! Over NATS, with what may go wrong on the way.

use std::time::{Duration, SystemTime};

use async_nats::jetstream::stream;
use openfaas_delivery::{dead_letter, ids};
use openfaas_tests::connector::command;
use openfaas_tests::runner::until;

use super::{Dead, names};
use crate::support::Scene;

/// Users of whom one may not delete: a put-back of theirs ends between its two steps.
const LIMITED: &str = r#"
    authorization: { users: [
        { user: root, password: pass }
        { user: limited, password: pass, permissions: { publish: {
            allow: [">"], deny: ["$JS.API.STREAM.MSG.DELETE.>"] } } }
    ] }"#;

const PUT_BACK: [&str; 2] = ["put-back", "--all"];

fn user(name: &'static str) -> [(&'static str, &'static str); 2] {
    [("nats_user", name), ("nats_password", "pass")]
}

/// Leaves a dead letter that is back in its topic and still there.
async fn put_back_half(scene: &Scene) {
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.bury(Dead::default()).await;
    let half = scene.redrive_as(&user("limited"), &PUT_BACK).await;
    assert_eq!(half.code, Some(1), "{half:?}");
    assert!(half.stderr.contains("cannot be deleted"), "{half:?}");
}

#[tokio::test]
async fn one_that_was_interrupted_between_its_steps_is_done_again_and_stored_once() {
    let scene = Scene::guarded(LIMITED, ("root", "pass"), &["orders"]).await;
    put_back_half(&scene).await;
    assert_eq!(
        (scene.letters().await, scene.orders().await),
        (vec!["one".into()], vec!["one".into()])
    );
    let whole = scene.redrive_as(&user("root"), &PUT_BACK).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(scene.letters().await.is_empty());
    assert_eq!(scene.orders().await, ["one"], "the stream knows its id");
}

#[tokio::test]
async fn beyond_the_duplicate_window_it_is_doubled_under_the_same_id_and_not_lost() {
    let window = Duration::from_millis(500);
    let scene = Scene::guarded(LIMITED, ("root", "pass"), &[]).await;
    let short = stream::Config {
        duplicate_window: window,
        ..stream::Config::default()
    };
    scene.look.stream_with("orders", short).await;
    put_back_half(&scene).await;
    // The server's own clock says when the window is over.
    let id = scene.look.messages("orders").await[0]
        .header("Nats-Msg-Id")
        .map(str::to_owned);
    let over = async || {
        let info = scene.look.jetstream.get_stream("orders").await.ok()?;
        let stored = SystemTime::from(info.get_raw_message(1).await.ok()?.time);
        let age = SystemTime::now().duration_since(stored).ok()?;
        (age > window * 2).then_some(())
    };
    until("the window is over", over).await;
    let whole = scene.redrive_as(&user("root"), &PUT_BACK).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(scene.letters().await.is_empty());
    let orders = scene.look.messages("orders").await;
    let ids: Vec<_> = orders.iter().map(|m| m.header("Nats-Msg-Id")).collect();
    assert_eq!(ids, [id.as_deref(), id.as_deref()], "twice the same");
    assert_eq!(scene.orders().await, ["one", "one"]);
    // Each of both is for that function alone.
    for order in &orders {
        assert_eq!(dead_letter::redrive(order).unwrap().function, "order");
    }
    let _connector = scene.connector(&user("root")).await;
    let calls = scene.gateway.until_called(2).await;
    let ids: Vec<_> = calls.iter().map(|call| &call.headers["ce-id"]).collect();
    assert_eq!(ids[0], ids[1], "the same event");
}

#[tokio::test]
async fn one_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for body in &bodies {
        let dead = Dead {
            body,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let address = scene.server.address();
    let environment = [
        ("broker_host", address.as_str()),
        ("gateway_url", scene.gateway.url.as_str()),
    ];
    let arguments = ["redrive", "--broker", "nats", "put-back", "--all"];
    let mut kills = 0;
    for round in 1.. {
        let mut child = command(&arguments, &environment).spawn().unwrap();
        let gone = scene.orders().await.len() + 10 * round;
        let further = async || {
            let ended = scene.orders().await.len() >= gone.min(bodies.len());
            ended.then_some(())
        };
        until("more of them are back", further).await;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().await.unwrap();
        kills += 1;
        if scene.letters().await.is_empty() {
            break;
        }
    }
    assert!(kills >= 2, "it was killed {kills} times");
    assert!(scene.letters().await.is_empty());
    assert_eq!(scene.orders().await, bodies);
}

#[tokio::test]
async fn a_stream_that_lets_nobody_delete_is_refused_before_anything_goes_back() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy(
        "order",
        &[("topic", "orders"), ("events.dead-letter-topic", "graves")],
    );
    let config = stream::Config {
        deny_delete: true,
        ..Default::default()
    };
    scene.look.stream_with("graves", config).await;
    let mut letter = Dead::default().letter();
    letter.topic = "graves".into();
    let mut headers = async_nats::HeaderMap::new();
    for header in &letter.headers {
        headers.append(header.name.as_str(), header.text().unwrap());
    }
    let publish = scene
        .look
        .jetstream
        .publish_with_headers("graves", headers, "one".into());
    publish.await.unwrap().await.unwrap();
    assert_eq!(
        names(&scene.redrive(&["list", "--json"]).await),
        ["graves@1"]
    );
    let refused = scene.redrive(&["put-back", "graves@1"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("lets nobody delete"), "{refused:?}");
    assert!(scene.orders().await.is_empty());
}

/// An id made from the letter's own place: one that came back is another letter.
#[tokio::test]
async fn the_id_of_a_put_back_is_made_from_its_letter() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    for _ in 0..2 {
        scene.bury(Dead::default()).await;
        assert_eq!(scene.redrive(&["put-back", "--all"]).await.code, Some(0));
    }
    let orders = scene.look.messages("orders").await;
    let ids: Vec<_> = orders
        .iter()
        .map(|m| m.header("Nats-Msg-Id").unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), ids::put_back("", 0, None).len());
}
