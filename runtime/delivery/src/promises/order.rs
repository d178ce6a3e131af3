//! Order, waits, drains and crashes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event, until};
use crate::engine::Ended;

/// Promise 4: first deliveries keep the order of their key, though some are retried; keys run side by side.
pub async fn events_of_one_key_stay_in_order<S: Stand>(stand: &S) {
    let function = Function::new(|event, nth| {
        if event.id().ends_with('3') && nth < 3 {
            Act::Retry(None)
        } else {
            Act::Done
        }
    });
    let scene = Scene::new(stand, "ordered", function).await;
    for number in 10..30 {
        for key in ["a", "b", "c"] {
            scene.publish(&event(&format!("{key}{number}"), key)).await;
        }
    }
    scene.deliver(scene.settled()).await;
    let mut last: BTreeMap<char, String> = BTreeMap::new();
    let calls = scene.function.calls();
    for (id, _) in &calls {
        let key = id.chars().next().unwrap_or_default();
        let before = last.insert(key, id.clone()).unwrap_or_default();
        assert!(before <= *id, "{id} came after {before}: {calls:?}");
    }
    assert!(calls.len() >= 60 + 12, "{} calls", calls.len());
}

/// Promise 3: Retry-After is kept to.
pub async fn retries_are_never_early<S: Stand>(stand: &S) {
    let function = Function::new(|_, nth| {
        if nth == 1 {
            Act::Retry(Some(1))
        } else {
            Act::Done
        }
    });
    let scene = Scene::new(stand, "waits", function).await;
    scene.publish(&event("one", "")).await;
    scene.deliver(scene.settled()).await;
    let calls = scene.function.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[1].1 - calls[0].1 >= Duration::from_secs(1));
}

/// Promise 8: a drain finishes what runs and hands back the rest, which the next owner delivers in order.
pub async fn a_drain_hands_back_what_waits<S: Stand>(stand: &S) {
    let function = Function::new(|_, _| Act::Reply).working(Duration::from_millis(100));
    let scene = Scene::new(stand, "drained", function).await;
    for id in ["1", "2", "3", "4", "5"] {
        scene.publish(&event(id, "key")).await;
    }
    let ended = scene
        .deliver(until(async || scene.function.count("2") == 1))
        .await;
    assert_eq!(ended, Ended::Drained);
    assert_eq!(scene.replies().await.len(), 2, "what ran is finished");
    scene.deliver(scene.settled()).await;
    let ids: Vec<String> = scene
        .function
        .calls()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(
        ids,
        ["1", "2", "3", "4", "5"],
        "nothing twice, nothing lost"
    );
}

/// An owner that dies loses nothing, and first deliveries keep their order.
pub async fn a_crash_loses_nothing<S: Stand>(stand: &S) {
    let function = Function::new(|_, _| Act::Reply).working(Duration::from_millis(20));
    let scene = Scene::new(stand, "crashed", function).await;
    for number in 10..30 {
        scene.publish(&event(&number.to_string(), "key")).await;
    }
    scene
        .deliver_and_die(until(async || scene.function.count("13") == 1))
        .await;
    scene.deliver(scene.settled()).await;
    let mut firsts: Vec<String> = Vec::new();
    for (id, _) in scene.function.calls() {
        if !firsts.contains(&id) {
            firsts.push(id);
        }
    }
    assert_eq!(
        firsts,
        (10..30)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
    assert!(scene.replies().await.len() >= 20);
}
