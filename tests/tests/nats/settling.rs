//! What the server does with acks, naks and ids: the facts that decisions of delivery rest on.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use futures_util::StreamExt;
use futures_util::future::join_all;
use openfaas_delivery::broker::{Broker, Count, Demand, Publication, Source};
use openfaas_tests::nats::{Look, Server};
use openfaas_tests::runner::PATIENCE;
use tokio::time::timeout;

use crate::support::{
    ACK_WAIT, at, connect, durable, message, offsets, open, ordered, pending, publication, publish,
    shared, with_stream,
};

/// A consumer of the client's own, without anything of ours.
async fn raw(look: &Look, config: pull::Config) -> PullConsumer {
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let config = pull::Config {
        durable_name: Some("raw".into()),
        ack_policy: AckPolicy::Explicit,
        ..config
    };
    stream.get_or_create_consumer("raw", config).await.unwrap()
}

/// The next so many messages of a consumer, and when each was delivered how often.
async fn take(consumer: &PullConsumer, count: usize) -> Vec<async_nats::jetstream::Message> {
    let batch = consumer.batch().max_messages(count);
    let messages = batch.expires(Duration::from_secs(20)).messages().await;
    let messages = messages.unwrap().take(count);
    messages
        .map(|message| message.expect("a message"))
        .collect()
        .await
}

fn sequences(messages: &[async_nats::jetstream::Message]) -> Vec<u64> {
    messages
        .iter()
        .map(|message| message.info().unwrap().stream_sequence)
        .collect()
}

#[tokio::test]
async fn many_acks_are_confirmed_at_a_time_through_one_inbox() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 200).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    let offsets = offsets(&source, 200).await;
    let settling = offsets.iter().map(|offset| {
        let source = &source;
        async move { source.settle(&at("orders", *offset)).await }
    });
    assert!(join_all(settling).await.iter().all(Result::is_ok));
    assert_eq!(pending(&look, "orders").await, 0);
    // Again changes nothing.
    assert_eq!(source.settle(&at("orders", 7)).await, Ok(()));
}

#[tokio::test]
async fn what_is_in_progress_does_not_come_again_and_what_is_not_does() {
    let (server, _look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let (source, _) = open(&broker, &shared("orders")).await;
    assert_eq!(offsets(&source, 2).await, [1, 2]);
    let working = source.clone();
    let progress = tokio::spawn(async move {
        loop {
            working.progress(&[at("orders", 1)]).await;
            tokio::time::sleep(working.progress_every().unwrap()).await;
        }
    });
    for _ in 0..3 {
        assert_eq!(message(&source).await.position.offset, 2);
    }
    progress.abort();
    source.settle(&at("orders", 2)).await.unwrap();
    assert_eq!(message(&source).await.position.offset, 1);
}

#[tokio::test]
async fn what_is_released_comes_at_once_to_whoever_is_there() {
    let (server, _look) = with_stream("orders").await;
    let (one, other) = (connect(&server).await, connect(&server).await);
    publish(&one, "orders", 1).await;
    let (first, _) = open(&one, &shared("orders")).await;
    message(&first).await;
    let (second, _) = open(&other, &shared("orders")).await;
    first.demand(Demand::default());
    first.close().await;
    assert_eq!(message(&second).await.position.offset, 1);
}

#[tokio::test]
async fn no_more_comes_than_is_demanded() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    for size in [10, 10, 5_000, 10] {
        let publication = publication("orders", &"x".repeat(size));
        broker.publish(&publication).await.unwrap();
    }
    let source = broker.open(&shared("orders")).await.unwrap();
    source.next().await;
    let demand = |messages, bytes, any_size_after| {
        source.demand(Demand {
            up_to: Count { messages, bytes },
            any_size_after,
        });
    };
    demand(1, 1_000, None);
    assert_eq!(message(&source).await.position.offset, 1);
    demand(4, 1_000, None);
    assert_eq!(message(&source).await.position.offset, 2);
    for offset in [1, 2] {
        source.settle(&at("orders", offset)).await.unwrap();
    }
    // The third is larger than what is left.
    let third = timeout(ACK_WAIT, source.next()).await;
    assert!(third.is_err(), "{third:?}");
    assert_eq!(pending(&look, "orders").await, 0);
    demand(4, 10_000, None);
    assert_eq!(offsets(&source, 2).await, [3, 4]);
}

#[tokio::test]
async fn one_of_any_size_comes_when_nothing_is_held() {
    let (server, _look) = with_stream("orders").await;
    let broker = connect(&server).await;
    for size in [5_000, 10] {
        let publication = publication("orders", &"x".repeat(size));
        broker.publish(&publication).await.unwrap();
    }
    let source = broker.open(&shared("orders")).await.unwrap();
    source.next().await;
    source.demand(Demand {
        up_to: Count {
            messages: 10,
            bytes: 1_000,
        },
        any_size_after: Some(0),
    });
    assert_eq!(message(&source).await.position.offset, 1);
}

/// [RUN] The id of an event is no id of a publication: the second is acknowledged, and gone.
#[tokio::test]
async fn a_publication_whose_id_is_known_is_swallowed() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    let with_id = |body: &str| Publication {
        dedup: Some("one".into()),
        ..publication("orders", body)
    };
    let first = broker.publish(&with_id("first")).await.unwrap();
    let second = broker.publish(&with_id("second")).await.unwrap();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(second.position, first.position);
    assert_eq!(look.messages("orders").await.len(), 1);
}

/// [RUN] So a retry waits in its owner, in progress, and not at the server.
#[tokio::test]
async fn a_nak_with_a_delay_lets_later_ones_overtake() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let consumer = raw(&look, pull::Config::default()).await;
    let first = take(&consumer, 1).await;
    let delay = AckKind::Nak(Some(Duration::from_millis(200)));
    first[0].ack_with(delay).await.unwrap();
    assert_eq!(sequences(&take(&consumer, 2).await), [2, 1]);
}

/// [RUN] So suspects are counted by us: messages that no function ever saw have been delivered many times.
#[tokio::test]
async fn deliveries_are_counted_though_nobody_looked() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 1).await;
    for _ in 0..3 {
        let owner = connect(&server).await;
        let (source, _) = open(&owner, &shared("orders")).await;
        message(&source).await;
        source.close().await;
    }
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let consumer: PullConsumer = stream.get_consumer(&durable("orders")).await.unwrap();
    let delivered = take(&consumer, 1).await[0].info().unwrap().delivered;
    assert_eq!(delivered, 4);
}

/// A consumer of four messages, the first two of which somebody took and died.
async fn half_taken() -> (Server, PullConsumer) {
    let (server, look) = with_stream("orders").await;
    publish(&connect(&server).await, "orders", 4).await;
    let config = pull::Config {
        ack_wait: ACK_WAIT,
        ..Default::default()
    };
    let consumer = raw(&look, config).await;
    drop(take(&consumer, 2).await);
    (server, consumer)
}

/// [RUN] So a new owner takes what is pending first, whatever comes first.
#[tokio::test]
async fn a_new_owner_gets_new_messages_before_those_of_a_dead_one() {
    let (_server, consumer) = half_taken().await;
    assert_eq!(sequences(&take(&consumer, 2).await), [3, 4]);
    let mut pending = sequences(&take(&consumer, 4).await);
    pending.sort_unstable();
    assert_eq!(pending, [1, 2, 3, 4]);
}

/// [RUN] ... and, once those have run out of ack_wait, the other way round.
#[tokio::test]
async fn what_has_run_out_of_its_time_comes_before_what_is_new() {
    let (_server, consumer) = half_taken().await;
    // Nothing that can be asked of the server says that a time has run out: the time itself is what is waited for.
    tokio::time::sleep(ACK_WAIT + ACK_WAIT / 2).await;
    let first = take(&consumer, 4).await;
    assert_eq!(sequences(&first), [1, 2, 3, 4]);
}

/// [RUN] With no limit, a new owner that holds all it may would be given new ones for ever.
#[tokio::test]
async fn the_limit_of_pending_ones_keeps_out_what_is_new_and_not_what_comes_again() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 6).await;
    let config = pull::Config {
        ack_wait: ACK_WAIT,
        max_ack_pending: 2,
        ..Default::default()
    };
    let consumer = raw(&look, config).await;
    drop(take(&consumer, 2).await);
    let mut again = sequences(&take(&consumer, 2).await);
    again.sort_unstable();
    assert_eq!(again, [1, 2], "and not 3 and 4");
}

/// [RUN] So a lease says who owns a durable: a pinned client loses its pin as soon as it has nothing to pull for.
#[tokio::test]
async fn a_pinned_owner_that_pulls_nothing_loses_its_pin() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let name = look.jetstream.client();
    let config = serde_json::json!({
        "stream_name": "orders",
        "config": {
            "durable_name": "raw", "name": "raw", "ack_policy": "explicit", "deliver_policy": "all",
            "replay_policy": "instant", "priority_groups": ["owner"], "priority_policy": "pinned_client",
            "priority_timeout": 200_000_000,
        },
        "action": "create",
    });
    let made = name.request(
        "$JS.API.CONSUMER.CREATE.orders.raw",
        config.to_string().into(),
    );
    made.await.unwrap();
    let pull = async || {
        let inbox = name.new_inbox();
        let mut answers = name.subscribe(inbox.clone()).await.unwrap();
        let request = r#"{"batch":1,"expires":20000000000,"group":"owner"}"#;
        let subject = "$JS.API.CONSUMER.MSG.NEXT.orders.raw";
        let sent = name.publish_with_reply(subject, inbox, request.into());
        sent.await.unwrap();
        let message = timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
        let pin = message
            .headers
            .and_then(|headers| headers.get("Nats-Pin-Id").cloned());
        pin.expect("a pinned message").to_string()
    };
    let first = pull().await;
    // It still works on its message, unsettled; somebody else is given the next.
    assert_ne!(pull().await, first);
    assert_eq!(
        stream.consumer_info("raw").await.unwrap().num_ack_pending,
        2
    );
}
