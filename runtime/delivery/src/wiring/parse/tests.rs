//! Annotations in, wiring or sentences out.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::wiring::KNOWN;

type Read = Result<Option<Wiring>, Vec<WiringError>>;

fn read(annotations: &[(&str, &str)]) -> Read {
    let annotations = annotations
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    Wiring::from_annotations("order", "openfaas-fn", &annotations)
}

/// With the topic `orders` and this annotation.
fn with(name: &str, value: &str) -> Read {
    read(&[("topic", "orders"), (name, value)])
}

fn wiring(read: Read) -> Wiring {
    read.unwrap().unwrap()
}

fn sentences(read: Read) -> Vec<String> {
    read.unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_topic_there_is_no_wiring() {
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("topic", "  ")]), Ok(None));
    assert_eq!(
        read(&[
            ("events.reply-topic", "payments"),
            ("schedule", "* * * * *")
        ]),
        Ok(None)
    );
}

#[test]
fn a_topic_alone_brings_every_default() {
    let wiring = wiring(read(&[("topic", "orders")]));
    assert_eq!(wiring, Wiring::new("order", "openfaas-fn", ["orders"]));
    assert_eq!(wiring.dead_letter_topic(), "dead-letter.openfaas-fn.order");
    assert_eq!(wiring.group(), "openfaas.openfaas-fn.order");
    assert_eq!(wiring.durable("orders"), "openfaas-fn_order_orders");
    assert_eq!(
        (wiring.order, wiring.start, wiring.format),
        (Order::Key, Start::Oldest, Format::Binary)
    );
    assert_eq!(
        (wiring.window, wiring.batch_size, wiring.max_hops),
        (1_000, 1, 32)
    );
    let retry = &wiring.retry;
    assert_eq!(
        (
            retry.attempts,
            retry.min_wait.as_secs(),
            retry.max_wait.as_secs()
        ),
        (10, 1, 60)
    );
}

#[test]
fn a_door_leads_to_a_broker_that_is_named() {
    let door = |broker: &str| {
        read(&[
            ("topic", "orders"),
            ("events.broker", broker),
            ("events.door", "true"),
        ])
    };
    assert!(wiring(door("kafka")).door);
    assert_eq!(
        sentences(door("")),
        [
            "events.door is \"true\": nothing says which broker it leads to; add events.broker, or leave this out"
        ]
    );
    assert_eq!(
        sentences(with("events.door", "yes")),
        ["events.door is \"yes\": write true or false"]
    );
}

#[test]
fn transactions_are_asked_of_kafka_alone() {
    let on = |broker: &str| {
        read(&[
            ("topic", "orders"),
            ("events.broker", broker),
            ("events.transactions", "true"),
        ])
    };
    assert!(wiring(on("kafka")).transactions);
    assert!(wiring(on("")).transactions, "a connector for Kafka may run");
    assert_eq!(
        sentences(on("nats")),
        [
            "events.transactions is \"true\": NATS has no transactions; leave it out, or let events.broker be kafka"
        ]
    );
    assert_eq!(
        sentences(with("events.transactions", "yes")),
        ["events.transactions is \"yes\": write true or false"]
    );
}

#[test]
fn the_defaults_in_the_table_are_those_in_the_code() {
    for known in KNOWN
        .iter()
        .filter(|known| known.default.starts_with('`') && known.name != "events.dead-letter-topic")
    {
        let wiring = wiring(with(known.name, known.default.trim_matches('`')));
        assert_eq!(
            wiring,
            Wiring::new("order", "openfaas-fn", ["orders"]),
            "{}",
            known.name
        );
    }
}

#[test]
fn topics_stand_side_by_side_by_comma_or_white_space() {
    for text in ["a,b,c", "a b c", " a , b\n c,", "a\tb,,c"] {
        assert_eq!(wiring(read(&[("topic", text)])).topics, ["a", "b", "c"]);
    }
}

#[test]
fn every_annotation_is_read() {
    let wiring = wiring(read(&[
        ("topic", "orders"),
        ("events.broker", "nats"),
        ("events.reply-topic", "payment.accepted=shipments, declined"),
        ("events.dead-letter-topic", "graveyard"),
        ("events.filter", "type=order.placed"),
        ("events.order", "none"),
        ("events.start", "2026-11-21T08:00:00Z"),
        ("events.concurrency", "8"),
        ("events.window", "200"),
        ("events.batch-size", "100"),
        ("events.batch-linger", "50ms"),
        ("events.max-hops", "5"),
        ("events.format", "structured"),
        ("com.openfaas.retry.attempts", "3"),
        ("com.openfaas.retry.codes", "429, 503"),
        ("com.openfaas.retry.min_wait", "10s"),
        ("com.openfaas.retry.max_wait", "120"),
    ]));
    assert_eq!(wiring.broker, Some(Broker::Nats));
    assert_eq!(wiring.replies.route("payment.accepted"), Some("shipments"));
    assert_eq!(wiring.dead_letters, "graveyard");
    assert_eq!(
        wiring.filter.as_ref().unwrap().to_string(),
        "type=order.placed"
    );
    assert_eq!(wiring.order, Order::None);
    assert_eq!(
        wiring.start,
        Start::At(UNIX_EPOCH + Duration::from_secs(1_795_248_000))
    );
    assert_eq!(
        (wiring.concurrency, wiring.window, wiring.batch_size),
        (8, 200, 100)
    );
    assert_eq!(wiring.batch_linger, Duration::from_millis(50));
    assert_eq!((wiring.max_hops, wiring.format), (5, Format::Structured));
    assert_eq!(wiring.retry.attempts, 3);
    assert_eq!(wiring.retry.codes.to_string(), "429,503");
    assert_eq!(wiring.retry.min_wait, Duration::from_secs(10));
    assert_eq!(wiring.retry.max_wait, Duration::from_secs(120));
}

#[test]
fn a_value_that_cannot_be_is_one_sentence_with_its_remedy() {
    for (name, value, sentence) in [
        (
            "events.broker",
            "rabbit",
            r#"events.broker is "rabbit": write nats or kafka, or leave it out"#,
        ),
        (
            "events.order",
            "keys",
            r#"events.order is "keys": write key or none"#,
        ),
        (
            "events.start",
            "now",
            r#"events.start is "now": write oldest, new or a time such as 2026-11-21T08:00:00Z"#,
        ),
        (
            "events.concurrency",
            "0",
            r#"events.concurrency is "0": write a whole number from 1 to 10000"#,
        ),
        (
            "events.window",
            "1e3",
            r#"events.window is "1e3": write a whole number from 1 to 100000"#,
        ),
        (
            "events.batch-size",
            "-1",
            r#"events.batch-size is "-1": write a whole number from 1 to 10000"#,
        ),
        (
            "events.batch-linger",
            "2m",
            r#"events.batch-linger is "2m": write a duration up to one minute, such as 50ms or 2s"#,
        ),
        ("events.max-hops", "", ""),
        (
            "events.max-hops",
            "many",
            r#"events.max-hops is "many": write a whole number from 1 to 1000"#,
        ),
        (
            "events.format",
            "json",
            r#"events.format is "json": write binary or structured"#,
        ),
        (
            "events.filter",
            "placed",
            "events.filter is \"placed\": `placed` compares nothing; write `attribute=value`, CESQL, or a filter as JSON",
        ),
        (
            "events.reply-topic",
            "a b",
            "events.reply-topic is \"a b\": `b` is a second topic without a type; write `type=b`",
        ),
        (
            "events.dead-letter-topic",
            "a b",
            r#"events.dead-letter-topic is "a b": write one topic"#,
        ),
        (
            "com.openfaas.retry.attempts",
            "0",
            r#"com.openfaas.retry.attempts is "0": write a whole number from 1 to 1000"#,
        ),
        (
            "com.openfaas.retry.codes",
            "200",
            r#"com.openfaas.retry.codes is "200": 200 is no status that can ask for a retry; use 300 to 599, or a class such as 5xx"#,
        ),
        (
            "com.openfaas.retry.min_wait",
            "0s",
            r#"com.openfaas.retry.min_wait is "0s": write a duration above zero, such as 500ms or 1m30s"#,
        ),
        (
            "com.openfaas.retry.min_wait",
            "2m",
            r#"com.openfaas.retry.min_wait is "2m": the shortest wait is 2m and the longest 1m; let the longest be at least 2m"#,
        ),
        (
            "com.openfaas.retry.max_wait",
            "10ms",
            r#"com.openfaas.retry.max_wait is "10ms": the shortest wait is 1s and the longest 10ms; let the longest be at least 1s"#,
        ),
    ] {
        match sentence {
            "" => assert!(with(name, value).is_ok(), "{name} {value}"),
            sentence => assert_eq!(sentences(with(name, value)), [sentence]),
        }
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let wrong = [
        ("topic", "a..b"),
        ("events.broker", "nats"),
        ("events.order", "x"),
        ("events.window", "y"),
    ];
    let names: Vec<String> = read(&wrong)
        .unwrap_err()
        .into_iter()
        .map(|error| error.annotation)
        .collect();
    assert_eq!(names, ["topic", "events.order", "events.window"]);
}

#[test]
fn a_topic_that_covers_its_own_dead_letters_is_refused() {
    for topic in [
        "dead-letter.openfaas-fn.order",
        "dead-letter.>",
        "dead-letter.*.order",
        ">",
        "*.openfaas-fn.order",
        "orders, dead-letter.openfaas-fn.*",
    ] {
        let sentences = sentences(read(&[("topic", topic)]));
        assert_eq!(sentences.len(), 1, "{topic}");
        assert!(
            sentences[0].contains("its own dead letters; set events.dead-letter-topic"),
            "{sentences:?}"
        );
    }
    for topic in [
        "dead-letter.openfaas-fn.payment",
        "dead-letter.*.payment",
        "dead-letter.*",
        "orders.>",
    ] {
        assert!(read(&[("topic", topic)]).is_ok(), "{topic}");
    }
    let named = [
        ("topic", "graves.>"),
        ("events.dead-letter-topic", "graves.order"),
    ];
    assert!(sentences(read(&named))[0].contains("`graves.>` covers `graves.order`"));
    let elsewhere = [
        ("topic", "dead-letter.>"),
        ("events.dead-letter-topic", "graves"),
    ];
    assert!(read(&elsewhere).is_ok());
}

#[test]
fn two_topics_that_give_the_same_event_are_refused() {
    for topic in ["orders,orders", "orders.*,orders.eu", "orders.eu,orders.>"] {
        let sentences = sentences(read(&[("topic", topic)]));
        assert!(
            sentences[0].contains("give it the same event twice; keep one of them"),
            "{sentences:?}"
        );
    }
}

#[test]
fn topics_are_names_of_their_broker() {
    for (broker, topic, expected) in [
        ("kafka", "orders.*", false),
        ("nats", "orders.*", true),
        ("kafka", "größe", false),
        ("nats", "größe", true),
        ("", "größe", true),
    ] {
        let read = read(&[("topic", topic), ("events.broker", broker)]);
        assert_eq!(read.is_ok(), expected, "{topic} on {broker}");
    }
    assert!(
        read(&[
            ("topic", "a"),
            ("events.broker", "kafka"),
            ("events.reply-topic", "b/c")
        ])
        .is_err()
    );
    assert!(read(&[("topic", "a"), ("events.dead-letter-topic", "b.*")]).is_err());
}

#[test]
fn a_door_reads_the_same_from_its_environment() {
    let lookup = |key: &str| match key {
        "events_topic" => Some("orders".to_owned()),
        "events_reply_topic" => Some("payments".to_owned()),
        "com_openfaas_retry_attempts" => Some("3".to_owned()),
        "topic" => panic!("`topic` is somebody else's variable"),
        _ => None,
    };
    let wiring = wiring(Wiring::from_lookup("order", "openfaas-fn", lookup));
    assert_eq!(wiring.topics, ["orders"]);
    assert_eq!(wiring.replies.route("x"), Some("payments"));
    assert_eq!(wiring.retry.attempts, 3);
}

#[test]
fn an_error_names_what_was_read() {
    let wrong = |key: &str| (key == "events_topic").then(|| ">".to_owned());
    let error = sentences(Wiring::from_lookup("order", "openfaas-fn", wrong)).remove(0);
    assert_eq!(
        error,
        "events_topic is \">\": `>` covers `dead-letter.openfaas-fn.order`, its own dead letters; \
         set events_dead_letter_topic to a topic outside of it"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(index in 0..KNOWN.len(), text in "\\PC*") {
        let _ = with(KNOWN[index].name, &text);
    }
}
