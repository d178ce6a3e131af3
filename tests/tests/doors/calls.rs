//! What comes of events.

use openfaas_tests::runner::until;

use crate::support::{Stage, TRACE, over_both, until_ready};

over_both! {
    events_are_replied_to_and_http_is_served_beside_them,
    what_is_refused_is_a_dead_letter_and_what_is_to_be_retried_comes_again,
    a_layer_sees_the_request_that_carries_an_event,
    what_is_larger_than_the_function_takes_is_a_dead_letter,
    batches_are_answered_event_by_event,
    what_is_left_is_shown,
}

async fn events_are_replied_to_and_http_is_served_beside_them(stage: Stage) {
    let function = stage.start(&[]);
    until_ready(&function).await;
    stage.publish("one", "").await;
    stage.publish("two", "").await;
    stage.until_done(&["one", "two"]).await;
    stage.until_settled().await;
    for reply in stage.messages(&stage.replies).await {
        let said = |name: &str| {
            let on_kafka = reply.header(&format!("ce_{name}"));
            let said = on_kafka.or_else(|| reply.header(&format!("ce-{name}")));
            said.unwrap_or_default().to_owned()
        };
        assert!(["one", "two"].contains(&&*said("causationid")), "{reply:?}");
        assert_eq!(said("hopcount"), "1");
        assert!(said("traceparent").contains(TRACE), "{reply:?}");
    }
    let by_hand = [("content-type", "application/json")];
    let answer = function.call("POST", "/", &by_hand, "{}");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let metrics = function.metrics().body;
    let name = stage.name();
    let said = |beginning: &str, end: &str| {
        let mut lines = metrics.lines();
        lines.any(|line| line.starts_with(beginning) && line.ends_with(end))
    };
    let settled = format!("openfaas_delivery_events_total{{function=\"{name}\"");
    let called = "http_request_duration_seconds_count{code=\"200\",method=\"post\"}";
    assert!(said(&settled, "outcome=\"settled\"} 2"), "{metrics}");
    assert!(said(called, " 3"), "{metrics}");
}

async fn what_is_refused_is_a_dead_letter_and_what_is_to_be_retried_comes_again(stage: Stage) {
    let _function = stage.start(&[]);
    stage.publish("bad", "reject").await;
    stage.publish("slow", "retry").await;
    let done = async || (stage.done().await == [("slow".to_owned(), 3)]).then_some(());
    until("it is done at the third attempt", done).await;
    stage.until_settled().await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    let notes = &letters[0];
    assert!(notes.reason.contains("as asked for"), "{notes:?}");
    assert_eq!(notes.by, "openfaas-runtime");
}

async fn a_layer_sees_the_request_that_carries_an_event(stage: Stage) {
    let _function = stage.start(&[("layered", "1")]);
    stage.publish("unwanted", "").await;
    stage.publish("wanted", "").await;
    stage.until_done(&["wanted"]).await;
    stage.until_settled().await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].reason.contains("kept out by a layer"),
        "{letters:?}"
    );
}

async fn what_is_larger_than_the_function_takes_is_a_dead_letter(stage: Stage) {
    let neighbours = ["10", "11", "12"];
    for id in neighbours {
        stage.publish(id, "").await;
    }
    stage.publish("large", &"x".repeat(1_500)).await;
    let batches = ("events_batch_size", "10");
    let _function = stage.start(&[
        ("max_body", "1KiB"),
        batches,
        ("events_batch_linger", "300ms"),
    ]);
    stage.until_done(&neighbours).await;
    stage.until_settled().await;
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.contains("answered 413"), "{letters:?}");
}

async fn batches_are_answered_event_by_event(stage: Stage) {
    let ids: Vec<String> = (10..30).map(|id| id.to_string()).collect();
    for id in &ids {
        stage.publish(id, "").await;
    }
    stage.publish("bad", "reject").await;
    let function = stage.start(&[
        ("events_batch_size", "10"),
        ("events_batch_linger", "300ms"),
    ]);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    stage.until_done(&ids).await;
    stage.until_settled().await;
    assert_eq!(stage.letters().await.len(), 1);
    let calls =
        function.metric("http_request_duration_seconds_count{code=\"207\",method=\"post\"}");
    assert!(calls.is_some_and(|calls| calls < 21.0), "{calls:?}");
}

async fn what_is_left_is_shown(stage: Stage) {
    let long = ["com_openfaas_retry_min_wait", "com_openfaas_retry_max_wait"];
    let function = stage.start(&long.map(|name| (name, "10m")));
    stage.publish("slow", "retry").await;
    let name = stage.name();
    let shown = async || {
        let metrics = function.metrics().body;
        let is_one = |what: &str| {
            let beginning = format!("openfaas_delivery_{what}_messages{{function=\"{name}\"");
            let mut lines = metrics.lines();
            lines.any(|line| line.starts_with(&beginning) && line.ends_with("} 1"))
        };
        (is_one("lag") && is_one("waiting")).then_some(())
    };
    until("it is shown", shown).await;
}
