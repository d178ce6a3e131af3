//! Brokers and topics that go away and come back. Each has a server of its own to break.

use std::sync::Arc;

use bytes::Bytes;
use openfaas_delivery::broker::{Broker, OpenError, Publication, Purpose, Source, SourceEvent};
use openfaas_delivery::kafka::{Kafka, Settings};
use openfaas_delivery::wiring::Start;
use openfaas_tests::kafka::Server;

use super::support::{
    all, assigned, body, message, next, open, publish, settings, subscription, try_open, until,
    within,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_is_waited_for() {
    let (server, topic) = (Server::start(), "orders");
    server.create(topic, 1, &[]).await;
    publish(&server, topic, 0, 0..2);
    let kafka = Arc::new(Kafka::new(settings(&server)));
    let source = open(&server, topic).await;
    let held = [message(&source).await, message(&source).await];
    source.settle(&held[0].position).await.unwrap();
    until("a commit", || server.lag("group-orders", topic) == 1).await;
    server.kill();
    // Both are for when it is back: a settle that is noted, a publication that waits.
    source.settle(&held[1].position).await.unwrap();
    let publication = Publication {
        topic: topic.into(),
        dedup: None,
        key: None,
        headers: Vec::new(),
        body: Some(Bytes::from("2")),
    };
    let waiting = tokio::spawn({
        let kafka = Arc::clone(&kafka);
        async move {
            loop {
                if let Ok(stored) = kafka.publish(&publication).await {
                    return stored;
                }
            }
        }
    });
    server.restart();
    within(waiting).await.unwrap();
    // It goes on, or has lost its session meanwhile and begins again; nothing is lost either way.
    let last = match next(&source).await {
        SourceEvent::Message(message) => {
            source.settle(&message.position).await.unwrap();
            message
        }
        SourceEvent::Lost(_) => {
            source.close().await;
            let source = open(&server, topic).await;
            loop {
                let message = message(&source).await;
                source.settle(&message.position).await.unwrap();
                if body(&message) == "2" {
                    until("all is settled", || server.lag("group-orders", topic) == 0).await;
                    break message;
                }
            }
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(body(&last), "2");
    until("all is settled", || server.lag("group-orders", topic) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_a_state_and_no_crash() {
    let kafka = Kafka::new(Settings::new("127.0.0.1:9"));
    let check = within(kafka.check(&"orders".into(), Purpose::Reply)).await;
    let Err(OpenError::Unavailable(reason)) = check else {
        panic!("{check:?}");
    };
    assert!(reason.contains("127.0.0.1:9"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_is_asked_for_and_begun_anew() {
    let (server, topic) = (Server::shared(), "deleted");
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 0..3);
    let source = open(server, topic).await;
    for _ in 0..3 {
        let message = message(&source).await;
        source.settle(&message.position).await.unwrap();
    }
    until("all is settled", || server.lag("group-deleted", topic) == 0).await;
    server.delete(topic).await;
    let lost = next(&source).await;
    assert!(matches!(lost, SourceEvent::Lost(_)), "{lost:?}");
    source.close().await;
    let missing = try_open(server, topic).await;
    assert!(
        matches!(missing, Err(OpenError::NotReady(_))),
        "{missing:?}"
    );
    server.create(topic, 1, &[]).await;
    publish(server, topic, 0, 7..8);
    let source = open(server, topic).await;
    assert_eq!(assigned(&source).await.floor, 0, "it is another topic");
    assert_eq!(body(&message(&source).await), "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_added_is_read_from_its_beginning() {
    let (server, topic) = (Server::shared(), "grown");
    server.create(topic, 1, &[]).await;
    let mut new = subscription(topic);
    new.start = Start::New;
    let source = within(Kafka::new(settings(server)).open(&new))
        .await
        .unwrap();
    source.demand(all());
    assert_eq!(&*assigned(&source).await.log, "grown/0");
    server.grow(topic, 2).await;
    publish(server, topic, 1, 0..1);
    let assignment = assigned(&source).await;
    assert_eq!((&*assignment.log, assignment.floor), ("grown/1", 0));
    assert_eq!(body(&message(&source).await), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_broker_does_not_allow_is_said() {
    let (server, topic) = (Server::shared(), "session");
    server.create(topic, 1, &[]).await;
    let short = Settings {
        session_timeout: std::time::Duration::from_millis(900),
        ..settings(server)
    };
    match within(Kafka::new(short).open(&subscription(topic))).await {
        Err(OpenError::NotReady(sentence)) => {
            assert!(sentence.contains("session_timeout"), "{sentence}");
        }
        other => panic!("{other:?}"),
    }
}
