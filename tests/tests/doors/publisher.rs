//! What a function publishes of its own accord.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openfaas_delivery::broker::Message;
use openfaas_tests::contract::Process;
use openfaas_tests::runner::until;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::function;
use crate::support::{Stage, TRACE, over_both};

over_both! {
    what_is_published_is_of_its_causes_chain,
    past_the_limit_of_hops_nothing_is_published,
    a_topic_that_is_missing_is_named_with_the_command_that_makes_it,
}

mod outages {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn of_nats() {
        a_broker_that_is_away_is_waited_for(Stage::nats("outage").await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_kafka() {
        a_broker_that_is_away_is_waited_for(Stage::kafka_of_its_own("outage").await).await;
    }
}

async fn what_is_published_is_of_its_causes_chain(stage: Stage) {
    let function = stage.publisher(&[]);
    let cause = json!({ "hopcount": 3, "correlationid": "first" });
    assert_eq!(said(&function, "", &stage.replies, &cause), "stored");
    // Stored before it was said so.
    let [message] = &stage.messages(&stage.replies).await[..] else {
        panic!("one event");
    };
    for (name, value) in [
        ("id", "p-1"),
        ("type", "published"),
        ("source", &*format!("/function/{}", stage.name())),
        ("causationid", "cause"),
        ("correlationid", "first"),
        ("hopcount", "4"),
        ("partitionkey", "ada"),
    ] {
        assert_eq!(attribute(message, name), value, "{name}: {message:?}");
    }
    let trace = attribute(message, "traceparent");
    assert!(trace.contains(TRACE), "{trace}");
    if let Some(key) = &message.key {
        assert_eq!(&key[..], b"ada");
    }
}

async fn past_the_limit_of_hops_nothing_is_published(stage: Stage) {
    let function = stage.publisher(&[("events_max_hops", "4")]);
    let cause = |hops: i32| json!({ "hopcount": hops });
    let refused = said(&function, "", &stage.replies, &cause(4));
    let out = &stage.replies;
    assert_eq!(
        refused,
        format!("not publishing to {out}: it would be hop 5 of its chain, and the limit is 4")
    );
    assert_eq!(said(&function, "", out, &cause(3)), "stored");
    assert_eq!(stage.messages(out).await.len(), 1);
}

async fn a_topic_that_is_missing_is_named_with_the_command_that_makes_it(stage: Stage) {
    let function = stage.publisher(&[]);
    let began = Instant::now();
    let said = said(&function, "", "nowhere", &json!({}));
    assert!(said.starts_with("cannot publish to nowhere: "), "{said}");
    assert!(
        said.contains("nats stream add NOWHERE") || said.contains("--create --topic nowhere"),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{said}");
}

async fn a_broker_that_is_away_is_waited_for(mut stage: Stage) {
    let function = stage.publisher(&[]);
    let to = stage.replies.clone();
    assert_eq!(said(&function, "", &to, &json!({})), "stored");

    stage.kill();
    let began = Instant::now();
    let away = said(&function, "3s", &to, &json!({}));
    let beginning = format!("not known to be stored in {to} by the deadline: ");
    assert!(away.starts_with(&beginning), "{away}");
    assert!(away.contains("onnect"), "what is in the way: {away}");
    assert!(began.elapsed() < Duration::from_secs(3), "{away}");

    let function = Arc::new(function);
    let (publishing, there) = (Arc::clone(&function), to.clone());
    let waits = spawn_blocking(move || said(&publishing, "", &there, &json!({})));
    let publishes = async || {
        let running = function.metric("http_requests_in_flight")?;
        (running == 1.0).then_some(())
    };
    until("it publishes", publishes).await;
    stage.restart();
    assert_eq!(waits.await.unwrap(), "stored");
    let stored = async || {
        let messages = stage.messages(&to).await;
        let all = messages.iter().all(|m| attribute(m, "id") == "p-1");
        (all && messages.len() >= 2).then_some(())
    };
    until("what was waited for is there", stored).await;
}

#[test]
fn where_nothing_is_called_a_wrong_environment_is_said_by_the_first_publication() {
    for (set, says) in [
        (
            [("events_broker", "mqtt"), ("broker_host", "")],
            "cannot publish to emitted: events_broker is \"mqtt\": write nats or kafka, or leave it out",
        ),
        (
            [("events_broker", "nats"), ("nats_user", "alice")],
            "cannot publish to emitted: nats_user is set without nats_password",
        ),
        (
            [("broker_hosts", ""), ("broker_host", "")],
            "cannot publish to emitted: the function has no broker; set `events_broker`",
        ),
    ] {
        let mut program = function().launch(&set, &["emit"]);
        assert_eq!(program.end().code(), Some(0));
        program.wait_for("its words", |program| !program.output().is_empty());
        let output = program.output();
        assert!(output.starts_with(says), "{output}");
    }
}

/// What comes of an event that a function publishes while it handles another one, which has more attributes. `timeout`: how
/// long its caller waits, where it says so.
fn said(function: &Process, timeout: &str, to: &str, more: &Value) -> String {
    let mut event = json!({
        "specversion": "1.0", "id": "cause", "source": "/test", "type": "to.do", "partitionkey": "ada",
        "data": { "do": "publish", "to": to },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    let trace = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [
        ("content-type", "application/cloudevents+json"),
        ("traceparent", &trace),
        ("x-timeout", timeout),
    ];
    let answer = function.call("POST", "/", &headers, &event.to_string());
    match answer.status {
        204 => "stored".to_owned(),
        422 => answer.body,
        other => panic!("{other}: {}", function.output()),
    }
}

/// An attribute of a message in binary mode, as its broker's headers name it.
fn attribute<'a>(message: &'a Message, name: &str) -> &'a str {
    let on_kafka = message.header(&format!("ce_{name}"));
    let found = on_kafka.or_else(|| message.header(&format!("ce-{name}")));
    found.unwrap_or_default()
}
