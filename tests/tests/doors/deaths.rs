//! A door dies with its events.

use std::time::{Duration, Instant};

use openfaas_delivery::dead_letter::Notes;
use openfaas_tests::contract::Process;
use openfaas_tests::runner::PATIENCE;

use crate::support::{Stage, over_both};

over_both! {
    what_kills_its_door_is_a_dead_letter_and_its_neighbours_are_not,
}

async fn what_kills_its_door_is_a_dead_letter_and_its_neighbours_are_not(stage: Stage) {
    for (id, act) in [("a", "work"), ("b", "die"), ("c", "work"), ("d", "")] {
        stage.publish(id, act).await;
    }
    let mut deaths = 0;
    loop {
        // As a supervisor does it.
        let mut function = stage.start(&[("com_openfaas_retry_attempts", "2")]);
        if settles(&stage, &mut function).await {
            break;
        }
        deaths += 1;
        assert!(deaths < 8, "it does not end");
    }
    assert_eq!(
        deaths, 4,
        "twice in company, which charges nobody, then twice alone"
    );
    let letters = stage.messages(&stage.letters).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let notes = Notes::of(&letters[0]).expect("a letter has notes");
    assert_eq!(notes.attempts, 2);
    let body = String::from_utf8_lossy(letters[0].body.as_deref().unwrap()).into_owned();
    assert!(body.contains("\"id\":\"b\""), "{body}");
    let done: Vec<_> = stage.done().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(done, ["a", "c", "d"]);
}

/// Whether all is settled before the function dies.
async fn settles(stage: &Stage, function: &mut Process) -> bool {
    let end = Instant::now() + PATIENCE;
    while function.is_running() {
        if stage.backlog().await == 0 {
            return true;
        }
        assert!(Instant::now() < end, "neither: {}", function.output());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
