//! A short run of chaos over each broker; `cargo xtask chaos` has the long one.

use std::time::Duration;

use openfaas_tests::chaos::{Broker, Counts, OnKafka, OnNats, Plan, Way, play};

#[tokio::test(flavor = "multi_thread")]
async fn over_nats_nothing_is_lost() {
    nothing_is_lost::<OnNats>(plan(Way::Connectors)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_doors_nothing_is_lost() {
    nothing_is_lost::<OnNats>(plan(Way::Doors)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_kafka_nothing_is_lost() {
    nothing_is_lost::<OnKafka>(plan(Way::Connectors)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_kafka_with_transactions_each_reply_is_there_once() {
    let plan = Plan {
        transactions: true,
        ..plan(Way::Connectors)
    };
    let counts = nothing_is_lost::<OnKafka>(plan).await;
    assert_eq!(counts.replied_again, 0, "\n{counts}");
}

fn plan(way: Way) -> Plan {
    Plan {
        way,
        transactions: false,
        events: 5_000,
        keys: 100,
        kills: 5,
        restarts: 1,
        killers: 1,
        letters_away: Duration::from_secs(5),
        seed: 17,
        patience: Duration::from_secs(300),
    }
}

async fn nothing_is_lost<B: Broker>(plan: Plan) -> Counts {
    let function = env!("CARGO_BIN_EXE_chaos-function");
    let folder = tempfile::tempdir().unwrap();
    let counts = play::<B>(&plan, function.as_ref(), folder.path()).await;
    assert!(counts.kept(), "\n{counts}");
    assert_eq!(counts.passed + counts.dead, plan.events, "\n{counts}");
    assert!(counts.dead > 0, "\n{counts}");
    counts
}
