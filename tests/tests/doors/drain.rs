//! A door is closed in order.

use std::time::Duration;

use openfaas_tests::runner::until;
use rustix::process::Signal;

use crate::support::{Stage, over_both};

over_both! {
    sigterm_finishes_what_runs_and_leaves_the_rest_to_the_next,
}

async fn sigterm_finishes_what_runs_and_leaves_the_rest_to_the_next(stage: Stage) {
    let mut function = stage.start(&[("events_concurrency", "1")]);
    stage.publish("one", "work").await;
    let running = async || {
        function
            .metric("http_requests_in_flight")
            .filter(|n| *n > 0.0)
    };
    until("one is at work", running).await;
    stage.publish("two", "").await;
    function.signal(Signal::TERM);
    assert_eq!(
        function.code_within(Duration::from_secs(20)),
        Some(0),
        "{}",
        function.output()
    );
    stage.until_done(&["one"]).await;
    assert_eq!(stage.backlog().await, 1, "two is nobody's");
    let output = function.output();
    assert!(!output.contains("are cut"), "{output}");
    let _next = stage.start(&[]);
    stage.until_done(&["one", "two"]).await;
    stage.until_settled().await;
    assert_eq!(
        stage.messages(&stage.replies).await.len(),
        2,
        "nothing twice"
    );
}
