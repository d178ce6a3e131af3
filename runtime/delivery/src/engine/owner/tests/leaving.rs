//! A door that leaves what it holds, and a broker that does not take its last record.

use super::*;
use crate::broker::{Record, SourceError};

/// What is wanted when this happens.
fn told(scene: &mut Scene, input: Input) -> Vec<Output> {
    scene.owner.handle(scene.now, SystemTime::UNIX_EPOCH, input);
    std::iter::from_fn(|| scene.owner.output()).collect()
}

/// A door that was interrupted, and the record that it wants to leave.
fn leaving() -> (Scene, Record) {
    let mut scene = Scene::new(1);
    scene.owner.settings.door = true;
    let outputs = told(&mut scene, Input::Interrupted(0));
    let record = written(&outputs).expect("a last record");
    assert!(!record.open);
    (scene, record)
}

fn written(outputs: &[Output]) -> Option<Record> {
    outputs.iter().find_map(|output| match output {
        Output::Record(.., record) => Some(record.clone()),
        _ => None,
    })
}

fn closes(outputs: &[Output]) -> bool {
    let closes = |output: &Output| matches!(output, Output::Close(0));
    outputs.iter().any(closes)
}

#[test]
fn a_last_record_that_is_not_taken_has_a_wait_before_it_is_written_again() {
    let (mut scene, mut record) = leaving();
    for _ in 0..3 {
        let refused = Err(SourceError::Unavailable("away".to_owned()));
        let outputs = told(&mut scene, Input::Recorded(0, record.clone(), refused));
        assert_eq!((written(&outputs), closes(&outputs)), (None, false));
        let since = scene.now;
        scene.now = scene.owner.wake_at().expect("it will go on");
        let wait = scene.now.since(since);
        assert_eq!(wait, Duration::from_secs(1), "it does not grow");
        record = written(&told(&mut scene, Input::Tick)).expect("it is written again");
    }
    let outputs = told(&mut scene, Input::Recorded(0, record, Ok(())));
    assert!(closes(&outputs), "{outputs:?}");
}

#[test]
fn a_last_record_that_is_somebody_elses_is_let_go_of() {
    let (mut scene, record) = leaving();
    let outputs = told(
        &mut scene,
        Input::Recorded(0, record, Err(SourceError::Lost)),
    );
    assert_eq!((written(&outputs), closes(&outputs)), (None, true));
}

#[test]
fn a_first_record_that_is_somebody_elses_ends_the_subscription() {
    let mut scene = Scene::new(1);
    scene.owner.settings.door = true;
    let assignment = Assignment {
        log: Arc::from("in"),
        ..Assignment::default()
    };
    let outputs = told(&mut scene, Input::Assigned(0, assignment));
    let record = written(&outputs).expect("a first record");
    let outputs = told(
        &mut scene,
        Input::Recorded(0, record, Err(SourceError::Lost)),
    );
    assert_eq!((written(&outputs), closes(&outputs)), (None, true));
}
