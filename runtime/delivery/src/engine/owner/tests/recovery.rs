//! What a function that was down, or could not take so much, is given once it answers again.

use super::*;

/// How many events the oldest call in flight has.
fn size(scene: &Scene) -> usize {
    let (call, _) = scene.calls.front().expect("a call is in flight");
    scene.owner.calls[call].events.len()
}

/// A batch of so many events, each of which is done.
fn all_done(events: usize) -> Outcome {
    let results = vec![r#"{"status":204}"#; events].join(",");
    let body = format!(r#"{{"results":[{results}]}}"#);
    Outcome::Answered(Answer::new(
        StatusCode::MULTI_STATUS,
        HeaderMap::new(),
        body,
    ))
}

#[test]
fn waits_that_grew_begin_anew_once_the_function_is_well() {
    let mut scene = Scene::new(2);
    scene.receive("one");
    scene.receive("other");
    scene.answer(refused());
    let other = scene.calls.pop_front().expect("it is still in flight");
    for seconds in [1, 2, 4] {
        assert_eq!(scene.answer(refused()), "one");
        assert_eq!(scene.wait(), Duration::from_secs(seconds));
    }
    scene.answer(refused());
    scene.calls.push_front(other);
    assert_eq!(scene.answer(dies()), "other");
    scene.health(true);
    assert_eq!(scene.wait(), Duration::ZERO, "not the eight seconds");
    scene.answer(refused());
    assert_eq!(scene.wait(), Duration::from_secs(1));
}

#[test]
fn calls_at_once_grow_with_each_answer_after_the_function_was_down() {
    let mut scene = Scene::new(3);
    for event in 0..9 {
        scene.receive(&event.to_string());
    }
    for _ in 0..3 {
        scene.answer(refused());
    }
    for at_once in [1, 2, 3, 3] {
        assert_eq!(scene.calls.len(), at_once);
        scene.answer(done());
    }
}

#[test]
fn a_batch_that_was_halved_grows_with_each_answer() {
    let mut scene = Scene::wired(|wiring| {
        wiring.concurrency = 1;
        wiring.batch_size = 4;
    });
    for event in 0..30 {
        scene.receive(&event.to_string());
    }
    for (outcome, next) in [
        (done(), 4),
        (Outcome::TimedOut, 2),
        (Outcome::TimedOut, 1),
        (done(), 2),
        (all_done(2), 3),
        (all_done(3), 4),
        (all_done(4), 4),
    ] {
        scene.answer(outcome);
        assert_eq!(size(&scene), next);
    }
}
