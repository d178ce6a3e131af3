//! Settle last; and who a reply is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event, until};
use crate::observe::{Observation, Observer, Standing, What};

/// The last lag that was told.
#[derive(Clone, Default)]
struct Lag(Arc<AtomicU64>);

impl Observer for Lag {
    fn observe(&self, observation: &Observation<'_>) {
        if let What::Standing(Standing { lag: Some(lag), .. }) = observation.what {
            self.0.store(lag, Ordering::Relaxed);
        }
    }
}

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

/// Promise 1: what is told as lag is all that is not settled, that is also what waits for a retry or until its dead letter
/// is stored.
pub async fn lag_is_all_that_is_not_settled<S: Stand>(stand: &S) {
    let well = Arc::<AtomicBool>::default();
    let is_well = Arc::clone(&well);
    let function = Function::new(move |event, _| match event.id() {
        "refused" => Act::Reject,
        "busy" if !is_well.load(Ordering::Relaxed) => Act::Retry(None),
        _ => Act::Done,
    });
    let mut scene = Scene::new(stand, "lag", function).await;
    scene.wiring.retry.attempts = 1_000;
    scene.shut_topic.clone_from(&scene.wiring.dead_letters);
    scene.shut.store(true, Ordering::Relaxed);
    for id in ["done", "busy", "also-done", "refused", "done-too"] {
        scene.publish(&event(id, id)).await;
    }
    let lag = Lag::default();
    let is = async |expected| until(async || lag.0.load(Ordering::Relaxed) == expected).await;
    let story = async {
        is(2).await;
        well.store(true, Ordering::Relaxed);
        is(1).await;
        scene.shut.store(false, Ordering::Relaxed);
        is(0).await;
    };
    scene.deliver_seen_by(lag.clone(), story).await;
    assert_eq!(scene.backlog().await, 0);
    assert_eq!(scene.letters().await.len(), 1);
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
