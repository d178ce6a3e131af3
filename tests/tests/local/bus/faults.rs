//! Functions that are killed, kill themselves, sleep or are away.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use http::Method;
use openfaas_tests::runner::{kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::chain::{command, followed, ledger, runner, said, visit};

#[tokio::test]
async fn nothing_is_lost_when_a_function_is_killed_in_the_middle() {
    let runner = runner();
    let publish = [
        "publish", "b", "--count", "200", "--type", "takes.20", "--id", "e", "--key", "k",
        "--wait", "--json",
    ];
    let publishing = command(&runner, &publish)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for deaths in 1..=3 {
        until("some are done", async || {
            (ledger(&runner).len() >= deaths * 20).then_some(())
        })
        .await;
        let (_, id) = runner.get("/function/second/pid").await;
        if let Ok(id) = id.parse() {
            kill(id, Signal::KILL);
        }
    }
    let output = publishing.wait_with_output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{found}");
    let done = ledger(&runner);
    let expected: Vec<_> = (1..=200)
        .map(|number| format!("second e-{number}"))
        .collect();
    let mut seen = BTreeSet::new();
    let firsts: Vec<_> = done
        .iter()
        .filter(|line| seen.insert((*line).clone()))
        .cloned()
        .collect();
    assert_eq!(firsts, expected, "each one, and in the order of their key");
    let calls = found["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| visit(path, "second")["attempts"].clone());
    let unanswered = calls
        .filter(|calls| calls.as_array().unwrap().len() > 1)
        .count();
    assert!(
        (1..=3).contains(&unanswered),
        "{unanswered} were in the hands of who was killed"
    );
}

#[tokio::test]
async fn an_event_that_kills_becomes_a_dead_letter_and_takes_no_other_with_it() {
    let runner = runner();
    let events = json!([
        { "specversion": "1.0", "id": "deadly", "source": "/s", "type": "dies" },
        { "specversion": "1.0", "id": "harmless", "source": "/s", "type": "takes.300" },
    ]);
    fs::write(runner.folder().join("events.json"), events.to_string()).unwrap();
    let (found, code) = followed(&runner, &["b", "--file", "events.json"]);
    assert_eq!(code, Some(1));
    let [deadly, harmless] = [0, 1].map(|index| visit(&found["paths"][index], "second"));
    assert_eq!(
        (&deadly["verdict"], &harmless["verdict"]),
        (&json!("dead-letter"), &json!("done")),
        "{found}"
    );
    assert!(
        deadly["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .all(|call| call.get("status").is_none())
    );
}

#[tokio::test]
async fn an_event_wakes_a_function_that_sleeps_and_waits_for_one_that_is_away() {
    let runner = runner();
    let (status, _) = runner
        .post("/system/scale-function/second", r#"{"replicas":0}"#)
        .await;
    assert_eq!(status, 202);
    until("it sleeps", async || {
        let status = runner.json("/system/function/second").await;
        (status["availableReplicas"] == 0).then_some(())
    })
    .await;
    let (found, code) = followed(&runner, &["b", "--id", "waking"]);
    assert_eq!(code, Some(0), "{found}");

    runner
        .send(
            Method::DELETE,
            "/system/functions",
            r#"{"functionName":"second"}"#,
        )
        .await;
    let (text, _) = said(&runner, &["publish", "b", "--id", "patient"]);
    assert!(text.contains("for picky"), "{text}");
    let ledger_path = runner.folder().join("ledger").display().to_string();
    let deployment = json!({ "service": "second", "envVars": { "ledger": ledger_path }, "annotations": { "topic": "b" } });
    assert_eq!(
        runner
            .post("/system/functions", deployment.to_string())
            .await
            .0,
        202
    );
    let line = "second patient".to_owned();
    until("what was published meanwhile", async || {
        ledger(&runner).contains(&line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_finished() {
    let mut runner = runner();
    said(
        &runner,
        &["publish", "b", "--type", "takes.500", "--id", "last"],
    );
    let waiting = |count: Option<u64>| count >= Some(1);
    until("it is called", async || {
        waiting(runner.json("/system/function/second").await["invocationCount"].as_u64())
            .then_some(())
    })
    .await;
    runner.signal(Signal::TERM);
    assert_eq!(runner.wait(), Some(0));
    assert!(
        ledger(&runner).contains(&"second last".to_owned()),
        "{:?}",
        ledger(&runner)
    );
}
