//! Replies and the place of their input as one transaction.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode, header};
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::broker::{
    Broker, Codec, FinishError, Message, Publication, PublishError, Source, Subscription,
};
use openfaas_delivery::call::{Answer, Call, Outcome};
use openfaas_delivery::engine::{Control, Delivery, Engine};
use openfaas_delivery::kafka::{Kafka, KafkaSource};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, ReplyTopics, Wiring};
use openfaas_tests::kafka::Server;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::support::{
    PATIENCE, all, body, message, publish, settings, subscription, until, within,
};

/// An owner whose replies go with the place of their input.
pub(super) async fn owner(server: &Server, topic: &str) -> KafkaSource {
    let kafka = Kafka::new(settings(server));
    let subscription = Subscription {
        transactions: true,
        ..subscription(topic)
    };
    let source = within(kafka.open(&subscription)).await.expect("it opens");
    source.demand(all());
    source
}

pub(super) fn reply(topic: &str, body: impl Into<Bytes>) -> Publication {
    Publication {
        topic: topic.into(),
        dedup: None,
        key: None,
        headers: Vec::new(),
        body: Some(body.into()),
    }
}

/// The bodies that one who reads what is committed finds, in order.
pub(super) fn committed(server: &Server, topic: &str) -> Vec<String> {
    let messages = server.messages(topic);
    let mut bodies: Vec<String> = messages
        .iter()
        .map(|message| body(message).to_owned())
        .collect();
    bodies.sort();
    bodies
}

/// How many records one finds who reads what was never committed, too.
fn uncommitted(server: &Server, topic: &str) -> usize {
    let mut config = server.client();
    config
        .set("group.id", "anybody")
        .set("isolation.level", "read_uncommitted")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().expect("a client");
    let mut list = TopicPartitionList::new();
    let partitions = server.partitions(topic);
    for partition in &partitions {
        let added = list.add_partition_offset(topic, *partition, Offset::Beginning);
        added.expect("an offset");
    }
    consumer.assign(&list).expect("an assignment");
    let (mut records, mut ended) = (0, 0);
    while ended < partitions.len() {
        match consumer.poll(PATIENCE).expect("it ends") {
            Ok(_) => records += 1,
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    records
}

/// Sees whether a transaction that stores to a topic is open.
struct Open {
    /// Comes to an end where the first open transaction begins.
    committed: BaseConsumer,
    all: BaseConsumer,
    topic: &'static str,
    partitions: Vec<i32>,
}

impl Open {
    fn of(server: &Server, topic: &'static str) -> Self {
        let reader = |isolation: &str| {
            let mut config = server.client();
            config.set("isolation.level", isolation);
            config.create().expect("a client")
        };
        Self {
            committed: reader("read_committed"),
            all: reader("read_uncommitted"),
            topic,
            partitions: server.partitions(topic),
        }
    }

    fn is_open(&self) -> bool {
        let end = |reader: &BaseConsumer, partition| {
            let ends = reader.fetch_watermarks(self.topic, partition, PATIENCE);
            ends.expect("an answer").1
        };
        let mut partitions = self.partitions.iter();
        partitions.any(|partition| end(&self.committed, *partition) < end(&self.all, *partition))
    }
}

/// A process that repeats a topic in another.
struct Repeater(Child);

impl Repeater {
    fn start(server: &Server, from: &str, to: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_kafka-member"))
            .args([&server.hosts(), from, &format!("group-{from}"), "3", to])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("it starts"))
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_owner_left_is_not_read_and_each_reply_is_there_once() {
    const EACH: u32 = 10_000;
    let (server, from, to) = (Server::shared(), "exact-in", "exact-out");
    server.create(from, 3, &[]).await;
    server.create(to, 3, &[]).await;
    for partition in 0..3 {
        let first = partition as u32 * EACH;
        publish(server, from, partition, first..first + EACH);
    }
    let transaction = Open::of(server, to);
    let mut kills = 0;
    // One that is seen open may end well all the same: one that did not leaves records that are never committed.
    while uncommitted(server, to) == committed(server, to).len() {
        assert!(kills < 30, "none was killed within a transaction");
        let repeater = Repeater::start(server, from, to);
        until("a transaction", || transaction.is_open()).await;
        drop(repeater);
        until("none is open", || !transaction.is_open()).await;
        kills += 1;
    }
    let last = Repeater::start(server, from, to);
    let group = format!("group-{from}");
    until("the end", || server.lag(&group, from) == 0).await;
    drop(last);
    let mut all: Vec<String> = (0..3 * EACH).map(|number| number.to_string()).collect();
    all.sort();
    let read = committed(server, to);
    assert!(read == all, "{} of {} are read", read.len(), all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_too_large_is_refused_alone() {
    let (server, from, to) = (Server::shared(), "sizes-in", "sizes-out");
    server.create(from, 1, &[]).await;
    server.create(to, 1, &[("max.message.bytes", "5000")]).await;
    publish(server, from, 0, 0..40);
    let source = owner(server, from).await;
    let mut held = Vec::new();
    while held.len() < 40 {
        held.push(message(&source).await);
    }
    let replies = held.iter().map(|message| match body(message) {
        "7" => reply(to, vec![b'x'; 6_000]),
        number => reply(to, format!("{number:>1000}")),
    });
    let replies: Vec<Publication> = replies.collect();
    let finish = |(message, reply): (&Message, &Publication)| {
        let (position, reply) = (message.position.clone(), reply.clone());
        let source = &source;
        async move { source.finish(&position, &[reply]).await }
    };
    let ends = within(join_all(held.iter().zip(&replies).map(finish))).await;
    for (message, end) in held.iter().zip(ends) {
        match body(message) {
            "7" => assert!(
                matches!(end, Err(FinishError::Refused(PublishError::TooLarge(_)))),
                "{end:?}"
            ),
            number => assert_eq!(end, Ok(()), "{number}"),
        }
    }
    assert_eq!(committed(server, to).len(), 39);
    within(source.finish(&held[7].position, &[])).await.unwrap();
    until("the end", || server.lag("group-sizes-in", from) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_holds_up_no_reply_behind_it_and_none_is_stored_twice() {
    let (server, from, to) = (Server::shared(), "held-in", "held-out");
    server.create(from, 1, &[]).await;
    server.create(to, 1, &[]).await;
    publish(server, from, 0, 0..3);
    let first = owner(server, from).await;
    let held = [
        message(&first).await,
        message(&first).await,
        message(&first).await,
    ];
    for held in &held[1..] {
        let reply = reply(to, body(held).to_owned());
        within(first.finish(&held.position, &[reply]))
            .await
            .unwrap();
    }
    assert_eq!(committed(server, to), ["1", "2"]);
    first.close().await;
    let second = owner(server, from).await;
    let again = message(&second).await;
    assert_eq!(body(&again), "0");
    within(second.finish(&again.position, &[reply(to, "0")]))
        .await
        .unwrap();
    until("the end", || server.lag("group-held-in", from) == 0).await;
    assert_eq!(committed(server, to), ["0", "1", "2"]);
}

/// Answers each event with one of as many bytes as its id says.
struct Function;

impl Target for Function {
    async fn call(&self, call: Call) -> Outcome {
        let bytes = call.payload.events()[0].id().parse();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        let body = "x".repeat(bytes.expect("an id of ours"));
        Outcome::Answered(Answer::new(StatusCode::OK, headers, body))
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_reply_is_too_large_is_a_dead_letter_and_its_neighbours_are_not() {
    let server = Server::shared();
    let mut wiring = Wiring::new("large", "tests", ["large-in"]);
    wiring.replies = ReplyTopics::parse("large-out").unwrap();
    wiring.transactions = true;
    let small = [("max.message.bytes", "5000")];
    server.create("large-in", 1, &[]).await;
    server.create("large-out", 1, &small).await;
    server.create(&wiring.dead_letters, 1, &[]).await;
    let kafka = Kafka::new(settings(server));
    for bytes in [1_000, 6_000, 2_000] {
        let event = Event::new("t", Data::text(bytes.to_string()))
            .with_id(bytes.to_string())
            .with_source("/tests");
        let publication = kafka.encode(&Arc::from("large-in"), &event, Format::Binary);
        within(kafka.publish(&publication.unwrap())).await.unwrap();
    }
    let (engine, control) = (Engine::new(kafka, Function, ()), Control::new());
    let enough = async {
        let group = wiring.group();
        until("the end", || server.lag(&group, "large-in") == 0).await;
        control.drain();
    };
    let run = engine.run(Delivery::to(wiring.clone()), &control);
    within(async { tokio::join!(run, enough) }).await;
    let letters = server.messages(&wiring.dead_letters);
    assert_eq!(letters.len(), 1);
    assert!(body(&letters[0]).contains("6000"));
    assert_eq!(committed(server, "large-out").len(), 2);
}
