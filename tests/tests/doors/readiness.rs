//! Ready means that events are taken.

use openfaas_tests::contract::Process;
use openfaas_tests::runner::until;

use crate::function;
use crate::support::{Stage, until_ready};

async fn until_unready(function: &Process, why: &str) {
    let said = async || {
        let reply = function.try_get("/_/ready")?;
        (reply.status == 503 && reply.body.contains(why)).then_some(())
    };
    until(&format!("it is not ready: {why}"), said).await;
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let mut stage = Stage::nats("order").await;
    stage.kill();
    let function = stage.start(&[]);
    until_unready(
        &function,
        "no events from order-in: the broker does not answer",
    )
    .await;
    let by_hand = [("content-type", "application/json")];
    assert_eq!(function.call("POST", "/", &by_hand, "{}").status, 200);
    assert_eq!(function.get("/_/health").status, 200);
    stage.restart();
    until_ready(&function).await;
    stage.kill();
    until_unready(&function, "no events from order-in").await;
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named_with_the_command_that_makes_it() {
    let stage = Stage::nats("order").await;
    let function = stage.start(&[("events_topic", "nowhere")]);
    until_unready(
        &function,
        "nats stream add NOWHERE --subjects='nowhere' --defaults",
    )
    .await;
}

#[tokio::test]
async fn one_that_stands_by_is_ready_and_takes_over() {
    let stage = Stage::nats("order").await;
    let first = stage.start(&[]);
    until_ready(&first).await;
    let second = stage.start(&[("HOSTNAME", "door-2")]);
    until_ready(&second).await;
    let says_so = async || second.output().contains("stands by").then_some(());
    until("the second one says that it stands by", says_so).await;
    drop(first);
    stage.publish("one", "").await;
    stage.until_done(&["one"]).await;
}

#[test]
fn what_can_never_work_ends_the_start_with_one_sentence() {
    for (set, says) in [
        (
            [("events_broker", "nats"), ("nats_user", "alice")],
            "nats_user is set without nats_password",
        ),
        (
            [("events_broker", "kafka"), ("events_topic", "orders")],
            "`broker_hosts` is not set",
        ),
    ] {
        let mut function = function().launch(&set, &[]);
        let code = function.end().code();
        function.wait_for("its words", |function| !function.output().is_empty());
        let output = function.output();
        assert_eq!(code, Some(1), "{output}");
        assert_eq!(output.lines().count(), 1, "{output}");
        assert!(output.contains(says), "{output}");
    }
}
