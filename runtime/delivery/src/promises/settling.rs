//! Settle last; and who a reply is.

use std::sync::atomic::Ordering;

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event, until};

/// Promise 1: while the reply cannot be stored the input stays unsettled, and the function is not called again.
pub async fn an_input_is_settled_after_its_reply_is_stored<S: Stand>(stand: &S) {
    let scene = Scene::new(stand, "settle-last", Function::new(|_, _| Act::Reply)).await;
    scene.shut.store(true, Ordering::Relaxed);
    scene.publish(&event("one", "")).await;
    let story = async {
        until(async || scene.function.count("one") == 1).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(scene.backlog().await, 1);
        scene.shut.store(false, Ordering::Relaxed);
        scene.settled().await;
    };
    scene.deliver(story).await;
    assert_eq!(scene.replies().await.len(), 1);
    assert_eq!(
        scene.function.count("one"),
        1,
        "a publish that fails is repeated without a call"
    );
}

/// Promise 1: the same for a dead letter.
pub async fn nothing_is_dropped_while_dead_letters_cannot_be_stored<S: Stand>(stand: &S) {
    let mut scene = Scene::new(stand, "letters-away", Function::new(|_, _| Act::Reject)).await;
    scene.shut_topic.clone_from(&scene.wiring.dead_letters);
    scene.shut.store(true, Ordering::Relaxed);
    scene.publish(&event("one", "")).await;
    let story = async {
        until(async || scene.function.count("one") == 1).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(scene.backlog().await, 1);
        scene.shut.store(false, Ordering::Relaxed);
        scene.settled().await;
    };
    scene.deliver(story).await;
    assert_eq!(scene.letters().await.len(), 1);
    assert_eq!(scene.function.count("one"), 1);
}

/// Promises 6 and 7: a reply says what caused it, which chain and which hop it is, and stays in its cause's trace and key.
pub async fn replies_carry_identity_and_trace<S: Stand>(stand: &S) {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let scene = Scene::new(stand, "identity", Function::new(|_, _| Act::Reply)).await;
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let cause = event("one", "customer").with_extension("traceparent", parent.as_str());
    scene
        .publish(
            &cause
                .with_extension("correlationid", "first")
                .with_extension("hopcount", 4),
        )
        .await;
    scene.deliver(scene.settled()).await;
    let replies = scene.replies().await;
    let text = |name: &str| replies[0].text(name).map(|text| text.into_owned());
    assert_eq!(text("causationid").as_deref(), Some("one"));
    assert_eq!(text("correlationid").as_deref(), Some("first"));
    assert_eq!(text("hopcount").as_deref(), Some("5"));
    assert_eq!(text("partitionkey").as_deref(), Some("customer"));
    assert!(text("traceparent").is_some_and(|parent| parent.contains(TRACE)));
}
