//! Processes behind one URL, as many as are wanted.

use std::collections::BTreeSet;

use openfaas_tests::conversation::Conversation;
use openfaas_tests::runner::until;
use serde_json::json;

use crate::probe::runner;

#[tokio::test]
async fn processes_behind_one_url_take_turns_and_can_be_scaled_to_nothing() {
    let runner = runner();
    let scale = async |replicas: u32| {
        let body = json!({ "serviceName": "probe", "replicas": replicas }).to_string();
        assert_eq!(
            runner.post("/system/scale-function/probe", body).await.0,
            202
        );
    };
    let available = async || {
        runner.json("/system/function/probe").await["availableReplicas"]
            .as_u64()
            .unwrap()
    };
    scale(3).await;
    until("three processes", async || {
        (available().await == 3).then_some(())
    })
    .await;
    let mut seen = BTreeSet::new();
    for _ in 0..9 {
        seen.insert(runner.get("/function/probe/pid").await.1);
    }
    assert_eq!(seen.len(), 3);

    scale(0).await;
    until("none", async || (available().await == 0).then_some(())).await;
    assert_eq!(runner.json("/system/function/probe").await["replicas"], 0);
    let (status, id) = runner.get("/function/probe/pid").await;
    assert_eq!(status, 200, "a call wakes it: {id}");
    assert!(!seen.contains(&id));
    assert_eq!(runner.json("/system/function/probe").await["replicas"], 1);

    let (status, why) = runner
        .post("/system/scale-function/probe", r#"{"replicas": 1000}"#)
        .await;
    assert_eq!(status, 400, "{why}");
}

#[tokio::test]
async fn a_call_in_flight_survives_a_scale_down() {
    let runner = runner();
    let mut echo = Conversation::begin(&runner, "/function/probe/stream", "inside").await;
    assert_eq!(echo.heard().await, Some("inside".into()));
    let (status, _) = runner
        .post("/system/scale-function/probe", r#"{"replicas": 0}"#)
        .await;
    assert_eq!(status, 202);
    until("the function drains", async || {
        runner.output().contains("draining").then_some(())
    })
    .await;
    echo.say("at last");
    assert_eq!(echo.heard().await, Some("at last".into()));
    echo.finish();
    assert_eq!(echo.heard().await, None);
    until("it is gone", async || {
        runner.output().contains("gone").then_some(())
    })
    .await;
}
