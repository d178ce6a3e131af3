//! Batches.

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event};

/// Each event of a batch is settled by its own entry: one is retried, one rejected, the others are done.
pub async fn a_batch_is_settled_event_by_event<S: Stand>(stand: &S) {
    let function = Function::new(|event, nth| match event.id() {
        "3" if nth == 1 => Act::Retry(None),
        "5" => Act::Reject,
        _ => Act::Reply,
    });
    let mut scene = Scene::new(stand, "batched", function).await;
    scene.wiring.batch_size = 10;
    scene.wiring.batch_linger = std::time::Duration::from_millis(200);
    for id in ["0", "1", "2", "3", "4", "5", "6", "7"] {
        scene.publish(&event(id, "")).await;
    }
    scene.deliver(scene.settled()).await;
    assert!(
        scene.function.sizes().iter().any(|size| *size > 1),
        "{:?}",
        scene.function.sizes()
    );
    assert_eq!(scene.replies().await.len(), 7);
    assert_eq!(scene.letters().await.len(), 1);
    assert_eq!(
        (scene.function.count("3"), scene.function.count("4")),
        (2, 1)
    );
}

/// A function that does not know batches gets its events one by one, and none is charged for the batch.
pub async fn a_function_that_knows_no_batches_gets_one_by_one<S: Stand>(stand: &S) {
    let mut scene = Scene::new(
        stand,
        "unbatched",
        Function::new(|_, _| Act::Done).without_batches(),
    )
    .await;
    scene.wiring.batch_size = 10;
    scene.wiring.batch_linger = std::time::Duration::from_millis(200);
    scene.wiring.retry.attempts = 1;
    for id in ["0", "1", "2", "3"] {
        scene.publish(&event(id, "")).await;
    }
    scene.deliver(scene.settled()).await;
    assert_eq!(scene.letters().await.len(), 0);
    assert!(
        ["0", "1", "2", "3"]
            .iter()
            .all(|id| scene.function.count(id) == 1)
    );
}
