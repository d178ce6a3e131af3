//! Records as they come and as they are stored.

use std::sync::Arc;

use bytes::Bytes;
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::broker::{
    Broker, Codec, Decoded, Header, OpenError, Publication, PublishError, Purpose, Source,
};
use openfaas_delivery::kafka::Kafka;
use openfaas_delivery::wiring::Format;
use openfaas_tests::kafka::Server;

use super::support::{body, message, open, publish, settings, try_open, up_to, within};

fn publication(topic: &str, key: Option<&str>, body: Option<Bytes>) -> Publication {
    Publication {
        topic: topic.into(),
        dedup: None,
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        headers: Vec::new(),
        body,
    }
}

fn text(length: usize) -> Option<Bytes> {
    Some(Bytes::from("x".repeat(length)))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_record_is_changed() {
    let (server, topic) = (Server::shared(), "unchanged");
    server.create(topic, 1, &[]).await;
    let none = |name: &str| Header {
        name: name.into(),
        value: None,
    };
    let mut whole = publication(topic, Some("key"), text(3));
    whole.headers = vec![
        Header::new("Twice", "1"),
        none("null"),
        Header::new("Twice", "2"),
        Header::new("empty", ""),
        Header::new("bytes", vec![0, 255]),
    ];
    let sent = [
        whole,
        publication(topic, Some("key"), None),
        publication(topic, None, Some(Bytes::new())),
        publication(topic, Some(""), text(1)),
    ];
    let kafka = Kafka::new(settings(server));
    let source = open(server, topic).await;
    for publication in &sent {
        let stored = within(kafka.publish(publication)).await.unwrap();
        let message = message(&source).await;
        assert_eq!(message.position, stored.position);
        assert_eq!(message.key, publication.key);
        assert_eq!(message.body, publication.body);
        assert_eq!(message.headers, publication.headers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_key_picks_the_partition_that_java_picks() {
    let (server, topic) = (Server::shared(), "murmur");
    server.create(topic, 7, &[]).await;
    let kafka = Kafka::new(settings(server));
    // From the tests of Kafka's own Utils.murmur2.
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("abc", 479_470_107),
    ] {
        let event = Event::new("t", Data::text("data"))
            .with_id("1")
            .with_source("/s")
            .with_extension("partitionkey", key);
        let publication = kafka
            .encode(&Arc::from(topic), &event, Format::Binary)
            .unwrap();
        let stored = within(kafka.publish(&publication)).await.unwrap();
        let partition = (hash & i32::MAX) % 7;
        assert_eq!(*stored.position.log, format!("{topic}/{partition}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_both_modes_and_plain_records_are_read() {
    let (server, topic) = (Server::shared(), "modes");
    server.create(topic, 1, &[]).await;
    let kafka = Kafka::new(settings(server));
    let source = open(server, topic).await;
    let event = Event::new("t", Data::text("data"))
        .with_id("1")
        .with_source("/s");
    for format in [Format::Binary, Format::Structured] {
        let publication = kafka.encode(&Arc::from(topic), &event, format).unwrap();
        within(kafka.publish(&publication)).await.unwrap();
        match kafka.decode(&message(&source).await) {
            Decoded::Event(read) => assert_eq!((read.id(), read.ty()), ("1", "t")),
            Decoded::Broken(reason) => panic!("{reason}"),
        }
    }
    publish(server, topic, 0, 7..8);
    match kafka.decode(&message(&source).await) {
        Decoded::Event(read) => {
            assert_eq!(read.source(), "/broker/modes/0");
            assert_eq!((read.id(), read.ty()), ("2", "openfaas.message"));
        }
        Decoded::Broken(reason) => panic!("{reason}"),
    }
    let mut broken = publication(topic, None, text(1));
    broken.headers = vec![Header::new("ce_specversion", "1.0")];
    within(kafka.publish(&broken)).await.unwrap();
    let read = kafka.decode(&message(&source).await);
    assert!(matches!(read, Decoded::Broken(_)), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_comes_than_is_asked_for() {
    let (server, topic) = (Server::shared(), "demand");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..10);
    let source = try_open(server, topic).await.unwrap();
    source.demand(up_to(3));
    for number in 0..3 {
        assert_eq!(body(&message(&source).await), number.to_string());
    }
    let more = tokio::time::timeout(std::time::Duration::from_millis(500), source.next()).await;
    assert!(more.is_err(), "{more:?}");
    source.demand(up_to(5));
    assert_eq!(body(&message(&source).await), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_refuses_what_has_no_key() {
    let (server, topic) = (Server::shared(), "compacted");
    server
        .create(topic, 1, &[("cleanup.policy", "compact")])
        .await;
    let kafka = Kafka::new(settings(server));
    let refused = within(kafka.publish(&publication(topic, None, text(1)))).await;
    assert!(
        matches!(refused, Err(PublishError::Refused(_))),
        "{refused:?}"
    );
    within(kafka.publish(&publication(topic, Some("key"), text(1))))
        .await
        .unwrap();
    let check = within(kafka.check(&topic.into(), Purpose::DeadLetter)).await;
    let sentence = check.unwrap_err().to_string();
    assert!(
        sentence.contains("--add-config cleanup.policy=delete"),
        "{sentence}"
    );
    within(kafka.check(&topic.into(), Purpose::Reply))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_alone() {
    let (server, topic) = (Server::shared(), "small");
    server
        .create(topic, 1, &[("max.message.bytes", "5000")])
        .await;
    let kafka = Kafka::new(settings(server));
    let small: Vec<Publication> = (0..40)
        .map(|_| publication(topic, None, text(1_000)))
        .collect();
    let large = publication(topic, None, text(6_000));
    let stored = futures_util::future::join_all(small.iter().map(|small| kafka.publish(small)));
    let (stored, refused) = within(async { tokio::join!(stored, kafka.publish(&large)) }).await;
    assert!(
        matches!(refused, Err(PublishError::TooLarge(_))),
        "{refused:?}"
    );
    for stored in stored {
        stored.expect("no batch of them is judged as a whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_missing_is_named_with_the_command_that_makes_it() {
    let server = Server::shared();
    let kafka = Kafka::new(settings(server));
    let hosts = server.hosts();
    let command = |topic: &str| {
        format!("`kafka-topics.sh --bootstrap-server {hosts} --create --topic {topic} --partitions")
    };
    let missing = within(kafka.check(&"nowhere".into(), Purpose::DeadLetter)).await;
    let Err(OpenError::NotReady(sentence)) = missing else {
        panic!("{missing:?}");
    };
    assert!(sentence.contains(&command("nowhere")), "{sentence}");
    assert!(sentence.contains("--config retention.ms=-1"), "{sentence}");
    let Err(OpenError::NotReady(sentence)) = try_open(server, "nowhere").await else {
        panic!("it opens");
    };
    assert!(sentence.contains(&command("nowhere")), "{sentence}");
    let Err(OpenError::NotReady(sentence)) = try_open(server, "orders.>").await else {
        panic!("it opens");
    };
    assert!(
        sentence.contains("`orders.>` cannot be a Kafka topic"),
        "{sentence}"
    );
}
