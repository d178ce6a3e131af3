//! What is deployed, and how it is changed.

use http::Method;
use openfaas_tests::runner::until;
use serde_json::{Value, json};

use crate::probe::runner;

#[tokio::test]
async fn functions_are_listed_with_what_was_deployed_and_how_often_they_were_called() {
    let runner = runner();
    for _ in 0..3 {
        runner.get("/function/probe/x").await;
    }
    let list = runner.json("/system/functions?namespace=openfaas-fn").await;
    let probe = &list[0];
    assert_eq!(probe["name"], "probe");
    assert_eq!(probe["image"], "probe:1");
    assert_eq!(probe["invocationCount"], 3);
    assert_eq!(
        (&probe["replicas"], &probe["availableReplicas"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(probe["envVars"]["greeting"], "hello");
    assert_eq!(probe["labels"]["team"], "shop");
    assert!(probe["createdAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        runner.json("/system/functions?namespace=other").await,
        json!([])
    );
    assert_eq!(runner.get("/system/function/nobody").await.0, 404);
    assert_eq!(
        runner.json("/system/namespaces").await,
        json!(["openfaas-fn"])
    );
    assert_eq!(runner.get("/healthz").await, (200, "OK".to_owned()));
}

#[tokio::test]
async fn a_deployment_replaces_the_process_without_a_gap() {
    let runner = runner();
    let before = runner.get("/function/probe/pid").await.1;
    let deployment = |greeting: &str| json!({ "service": "probe", "image": "probe:2", "envVars": { "greeting": greeting }, "annotations": { "topic": "t" } });
    let (status, why) = runner
        .send(
            Method::PUT,
            "/system/functions",
            deployment("bonjour").to_string(),
        )
        .await;
    assert_eq!(status, 202, "{why}");
    until("the new process", async || {
        let (status, id) = runner.get("/function/probe/pid").await;
        assert_eq!(status, 200, "{id}");
        (id != before).then_some(())
    })
    .await;
    let environment = runner.json("/function/probe/env").await;
    assert_eq!(environment["greeting"], "bonjour");
    assert_eq!(environment["events_topic"], "t");
    assert_eq!(
        runner.json("/system/function/probe").await["image"],
        "probe:2"
    );
}

#[tokio::test]
async fn a_deployment_that_cannot_be_is_refused_and_changes_nothing() {
    let runner = runner();
    let put = async |deployment: Value| {
        runner
            .send(Method::PUT, "/system/functions", deployment.to_string())
            .await
    };
    let post = async |deployment: Value| {
        runner
            .post("/system/functions", deployment.to_string())
            .await
    };
    for (deployment, said) in [
        (json!({ "service": "other" }), "stack.yml"),
        (
            json!({ "service": "probe", "secrets": ["nope"] }),
            "faas-cli secret create nope",
        ),
        (
            json!({ "service": "probe", "annotations": { "topic": "t", "events.order": "maybe" } }),
            "events.order",
        ),
        (
            json!({ "service": "probe", "namespace": "elsewhere" }),
            "namespace",
        ),
    ] {
        for (status, why) in [put(deployment.clone()).await, post(deployment).await] {
            assert_eq!(status, 400, "{why}");
            assert!(why.contains(said), "{why}");
        }
    }
    assert_eq!(
        runner.json("/system/function/probe").await["image"],
        "probe:1"
    );
}

#[tokio::test]
async fn a_removed_function_is_gone_until_it_is_deployed_again() {
    let runner = runner();
    let (status, _) = runner
        .send(
            Method::DELETE,
            "/system/functions",
            r#"{"functionName":"probe"}"#,
        )
        .await;
    assert_eq!(status, 202);
    assert_eq!(runner.get("/function/probe/x").await.0, 404);
    assert_eq!(runner.json("/system/functions").await, json!([]));
    let again = runner
        .send(
            Method::DELETE,
            "/system/functions",
            r#"{"functionName":"probe"}"#,
        )
        .await;
    assert_eq!(again.0, 404);
    let deployment = json!({ "service": "probe" }).to_string();
    let put = runner
        .send(Method::PUT, "/system/functions", deployment.clone())
        .await;
    assert_eq!(put.0, 404, "faas-cli creates it then");
    assert_eq!(runner.post("/system/functions", deployment).await.0, 202);
    until("it is back", async || {
        (runner.get("/function/probe/x").await.0 == 200).then_some(())
    })
    .await;
}
