//! A function that is down, and one that dies.

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event};
use crate::dead_letter::Notes;

/// Promise 2: what is no answer costs no attempt, however often.
pub async fn a_function_that_is_down_costs_no_attempts<S: Stand>(stand: &S) {
    let function = Function::new(|_, nth| if nth <= 6 { Act::Absent } else { Act::Done });
    let mut scene = Scene::new(stand, "down", function).await;
    scene.wiring.retry.attempts = 1;
    for id in ["one", "two", "three"] {
        scene.publish(&event(id, "key")).await;
    }
    scene.deliver(scene.settled()).await;
    assert_eq!(scene.letters().await.len(), 0);
    assert_eq!(scene.function.count("one"), 7);
}

/// Promise 2: an event that kills its function is a dead letter after as many deaths as it has attempts; those that were
/// in flight with it are not.
pub async fn poison_that_kills_ends_alone<S: Stand>(stand: &S) {
    let function = Function::new(|event, _| {
        if event.id() == "killer" {
            Act::Die
        } else {
            Act::Done
        }
    });
    let mut scene = Scene::new(stand, "poison", function).await;
    scene.wiring.retry.attempts = 3;
    for id in ["a", "b", "killer", "c", "d", "e"] {
        scene.publish(&event(id, "")).await;
    }
    scene.deliver(scene.settled()).await;
    let letters = scene.letters().await;
    let ids: Vec<_> = letters
        .iter()
        .filter_map(|letter| letter.header("ce-id").or_else(|| letter.header("ce_id")))
        .collect();
    assert_eq!(ids, ["killer"]);
    assert_eq!(Notes::of(&letters[0]).map(|notes| notes.attempts), Some(3));
    assert_eq!(
        scene.function.count("killer"),
        4,
        "once in company, which charges nobody, then three times alone"
    );
}
