//! Dead letters, and the way back.

use super::function::{Act, Function};
use super::stage::{Scene, Stand, event, until};
use crate::broker::{Header, Publication};
use crate::dead_letter::{self, GONE, NOTES, Notes};
use crate::filter::Filter;

/// Promise 5: bytes, key and headers unchanged, plus why, how often, when, by whom.
pub async fn a_dead_letter_is_the_original<S: Stand>(stand: &S) {
    let mut scene = Scene::new(stand, "original", Function::new(|_, _| Act::Retry(None))).await;
    scene.wiring.retry.attempts = 3;
    scene
        .publish(&event("one", "key").with_extension("custom", "kept"))
        .await;
    let original = scene.inputs().await.remove(0);
    scene.deliver(scene.settled()).await;
    let letters = scene.letters().await;
    assert_eq!(letters.len(), 1);
    let (body, key) = (&letters[0].body, &letters[0].key);
    assert_eq!((body, key), (&original.body, &original.key));
    let headers: Vec<Header> = letters[0]
        .headers
        .iter()
        .filter(|header| header.name != NOTES)
        .cloned()
        .collect();
    assert!(
        original
            .headers
            .iter()
            .all(|header| headers.contains(header)),
        "{headers:?}"
    );
    let notes = Notes::of(&letters[0]).expect("a letter has notes");
    assert_eq!((notes.function.as_str(), notes.attempts), ("original", 3));
    assert!(
        notes.reason.contains("503") && !notes.time.is_empty() && !notes.by.is_empty(),
        "{notes:?}"
    );
    assert_eq!(scene.function.count("one"), 3);
}

/// Promise 5: what is put back reaches the function it is for, and no other on the same topic.
pub async fn what_is_redriven_is_for_one_function_alone<S: Stand>(stand: &S) {
    let reject = |event: &openfaas_cloudevents::Event, nth| event.id() == "one" && nth == 1;
    let function = Function::new(move |event, nth| {
        if reject(event, nth) {
            Act::Reject
        } else {
            Act::Done
        }
    });
    let scene = Scene::new(stand, "redriven", function).await;
    let mut other = Scene::new(stand, "bystander", Function::new(|_, _| Act::Done)).await;
    other.wiring.topics.clone_from(&scene.wiring.topics);
    other.publish(&event("before", "")).await;
    other
        .deliver(until(async || other.function.count("before") == 1))
        .await;
    scene.publish(&event("one", "")).await;
    scene.deliver(scene.settled()).await;
    other.deliver(other.settled()).await;
    let letters = scene.letters().await;
    let notes = Notes::of(&letters[0]).expect("a letter has notes");
    scene
        .publish_raw(dead_letter::put_back(&letters[0], &notes))
        .await;
    scene.deliver(scene.settled()).await;
    other.deliver(other.settled()).await;
    assert_eq!(scene.function.count("one"), 2);
    assert_eq!(other.function.count("one"), 1);
}

/// Promise 5: what is put back reaches its function, though a filter that it got meanwhile would leave it out.
pub async fn what_is_redriven_is_not_filtered<S: Stand>(stand: &S) {
    let function = Function::new(|_, nth| match nth {
        1 => Act::Reject,
        _ => Act::Done,
    });
    let mut scene = Scene::new(stand, "refiltered", function).await;
    scene.publish(&event("one", "")).await;
    scene.deliver(scene.settled()).await;
    let letters = scene.letters().await;
    let notes = Notes::of(&letters[0]).expect("a letter has notes");
    scene.wiring.filter = Some(Filter::parse("type=other").expect("a filter"));
    scene
        .publish_raw(dead_letter::put_back(&letters[0], &notes))
        .await;
    scene.publish(&event("two", "")).await;
    scene.deliver(scene.settled()).await;
    assert_eq!(scene.function.count("one"), 2);
    assert_eq!(scene.function.count("two"), 0, "the filter holds otherwise");
}

/// Promise 5: the record that says that a letter is gone is an input of nobody.
pub async fn the_marker_of_a_letter_that_is_gone_is_settled_without_a_call<S: Stand>(stand: &S) {
    let scene = Scene::new(stand, "marked", Function::new(|_, _| Act::Done)).await;
    let marker = Publication {
        topic: scene.input().into(),
        dedup: None,
        key: None,
        headers: vec![Header::new(GONE, r#"{"partition":0,"offset":17}"#)],
        body: None,
    };
    scene.publish_raw(marker).await;
    scene.publish(&event("one", "")).await;
    scene.deliver(scene.settled()).await;
    assert_eq!(scene.function.calls().len(), 1);
    assert_eq!(scene.function.count("one"), 1);
}

/// Promise 6: past the limit of hops the input is a dead letter, and no reply goes out.
pub async fn a_chain_stops_at_its_limit<S: Stand>(stand: &S) {
    let scene = Scene::new(stand, "hops", Function::new(|_, _| Act::Reply)).await;
    scene
        .publish(&event("one", "").with_extension("hopcount", 32))
        .await;
    scene.deliver(scene.settled()).await;
    assert_eq!(scene.replies().await.len(), 0);
    assert_eq!(scene.letters().await.len(), 1);
    assert_eq!(scene.function.count("one"), 1);
}
