//! Functions that share an owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event};

/// A function that is down holds its part of the body budget and no more: the other gets all of its events meanwhile.
pub async fn a_function_that_is_down_stops_no_other<S: Stand>(stand: &S) {
    let up = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&up);
    let down = Function::new(move |_, _| match there.load(Ordering::Relaxed) {
        true => Act::Done,
        false => Act::Absent,
    });
    let idle = Scene::new(stand, "absent", down).await;
    let busy = Scene::new(stand, "present", Function::new(|_, _| Act::Done)).await;
    let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let body = "x".repeat(500);
    for id in &ids {
        // Far more than the budget, and each of them more than its part.
        let event = event(id, "").with_extension("padding", body.as_str());
        idle.publish(&event).await;
        busy.publish(&event).await;
    }
    let story = async {
        busy.settled().await;
        assert_eq!(idle.backlog().await, ids.len(), "the other is down");
        up.store(true, Ordering::Relaxed);
        idle.settled().await;
    };
    idle.deliver_beside(&busy, 800, story).await;
    for scene in [&idle, &busy] {
        assert_eq!(scene.letters().await.len(), 0);
        assert!(ids.iter().all(|id| scene.function.count(id) > 0));
    }
}
