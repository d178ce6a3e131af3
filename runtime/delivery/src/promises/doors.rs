//! Functions that hold their own subscription, and take it with them when they die.

use std::time::Duration;

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event, until};
use crate::dead_letter::Notes;

/// Promise 2: what a door dies of is a dead letter, and nothing else is: the record at the broker tells the next one.
pub async fn poison_that_kills_its_door_ends_alone<S: Stand>(stand: &S) {
    let function = Function::new(|event, _| match event.id() {
        "killer" => Act::Die,
        _ => Act::Done,
    });
    let mut scene = Scene::new(stand, "door", function.in_a_door()).await;
    scene.door = true;
    scene.wiring.retry.attempts = 3;
    for id in ["killer", "a", "b", "c"] {
        scene.publish(&event(id, "")).await;
    }
    let mut doors = 0;
    while scene.backlog().await > 0 {
        doors += 1;
        assert!(doors < 10, "it does not end: {:?}", scene.function.calls());
        let over = async {
            tokio::select! {
                () = scene.function.died() => {}
                () = scene.settled() => {}
            }
        };
        scene.deliver_and_die(over).await;
    }
    let letters = scene.letters().await;
    assert_eq!(letters.len(), 1);
    let notes = Notes::of(&letters[0]).expect("a letter has notes");
    assert_eq!(notes.attempts, 3);
    assert_eq!(
        scene.function.count("killer"),
        5,
        "twice in company, which charges nobody, then three times alone"
    );
    assert!(
        ["a", "b", "c"]
            .iter()
            .all(|id| scene.function.count(id) > 0)
    );
}

/// Promise 8: a door that drains leaves its record clean, so that what it handed back runs side by side as before.
pub async fn a_door_that_drains_leaves_nothing_to_suspect<S: Stand>(stand: &S) {
    let later = Function::new(|_, _| Act::Retry(Some(1)));
    let mut scene = Scene::new(stand, "clean-door", later).await;
    scene.door = true;
    for id in ["1", "2"] {
        scene.publish(&event(id, "")).await;
    }
    for door in 1..=3 {
        let called =
            until(async || scene.function.count("1").min(scene.function.count("2")) >= door);
        scene.deliver(called).await;
    }
    scene.function = Function::new(|_, _| Act::Done).working(Duration::from_millis(200));
    scene.deliver(scene.settled()).await;
    assert_eq!(scene.function.most_at_once(), 2);
    assert_eq!(scene.letters().await.len(), 0);
}
