//! What goes wrong at the broker: each a state that says so, and a way on.

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use openfaas_delivery::broker::{Broker, PublishError, Source, SourceError, SourceEvent};
use openfaas_delivery::nats::{Config as Address, Nats};
use openfaas_tests::nats::{Proxy, Server};

use crate::support::{
    ACK_WAIT, again, at, connect, durable, end, interruption, message, next, offsets, open,
    ordered, publication, publish, refusal, shared, with_stream,
};

#[tokio::test]
async fn a_server_that_was_killed_comes_back_with_what_was_unsettled() {
    let (mut server, _look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 3).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    offsets(&source, 3).await;
    server.kill();
    assert_eq!(interruption(&source).await, "the connection was cut");
    let settled = source.settle(&at("orders", 1)).await;
    assert!(
        matches!(
            settled,
            Err(SourceError::Unavailable(_) | SourceError::Lost)
        ),
        "{settled:?}"
    );
    let stored = broker.publish(&publication("orders", "4")).await;
    assert!(
        matches!(stored, Err(PublishError::Unavailable(_))),
        "{stored:?}"
    );
    source.close().await;

    server.restart();
    publish(&broker, "orders", 1).await;
    let source = again(&broker, &ordered("orders")).await;
    source.demand(crate::support::ALL);
    assert!(matches!(next(&source).await, SourceEvent::Assigned(_)));
    let mut came = offsets(&source, 4).await;
    came.sort_unstable();
    assert_eq!(came, [1, 2, 3, 4]);
    for offset in came {
        source.settle(&at("orders", offset)).await.unwrap();
    }
    assert_eq!(source.pending("orders").await, Ok(0));
}

#[tokio::test]
async fn a_consumer_that_was_deleted_is_made_anew() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let (source, _) = open(&broker, &shared("orders")).await;
    offsets(&source, 2).await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    stream.delete_consumer(&durable("orders")).await.unwrap();
    assert_eq!(interruption(&source).await, "Consumer Deleted");
    let settled = source.settle(&at("orders", 1)).await;
    assert_eq!(settled, Err(SourceError::Lost), "it comes again");
    source.close().await;
    let (_source, assignment) = open(&broker, &shared("orders")).await;
    assert_eq!(assignment.created, Some(2));
}

/// A server that crashed has what it last wrote of a consumer; one made anew stands further back still.
#[tokio::test]
async fn a_delivery_that_the_server_has_forgotten_is_lost_and_comes_again() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    offsets(&source, 2).await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let info = stream.consumer_info(durable("orders")).await.unwrap();
    stream.delete_consumer(&durable("orders")).await.unwrap();
    stream.create_consumer(info.config).await.unwrap();
    let settled = source.settle(&at("orders", 1)).await;
    assert_eq!(settled, Err(SourceError::Lost));
    source.close().await;
    let source = again(&broker, &ordered("orders")).await;
    source.demand(crate::support::ALL);
    assert!(matches!(next(&source).await, SourceEvent::Assigned(_)));
    assert_eq!(offsets(&source, 2).await, [1, 2]);
    source.settle(&at("orders", 1)).await.unwrap();
}

#[tokio::test]
async fn a_consumer_that_was_changed_is_made_right() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let before = look.durable("orders", &durable("orders")).await.unwrap();
    let dangerous = pull::Config {
        durable_name: Some(durable("orders")),
        filter_subject: "orders".into(),
        max_deliver: 3,
        ack_wait: before.config.ack_wait,
        max_ack_pending: before.config.max_ack_pending,
        ..Default::default()
    };
    stream.update_consumer(dangerous).await.unwrap();
    assert_eq!(interruption(&source).await, "the consumer was changed");
    source.close().await;
    let (_source, _) = open(&broker, &ordered("orders")).await;
    let info = look.durable("orders", &durable("orders")).await.unwrap();
    assert_eq!(info.config.max_deliver, -1);
}

#[tokio::test]
async fn a_stream_that_was_removed_is_asked_for_until_it_is_there() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    look.jetstream.delete_stream("orders").await.unwrap();
    interruption(&source).await;
    source.close().await;
    let sentence = refusal(&broker, &ordered("orders")).await;
    assert!(
        sentence.starts_with("no stream stores orders: "),
        "{sentence}"
    );
    let stored = broker.publish(&publication("orders", "1")).await;
    assert_eq!(
        stored,
        Err(PublishError::Unavailable("no stream stores orders".into()))
    );
    look.stream("orders").await;
    publish(&broker, "orders", 1).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    assert_eq!(message(&source).await.position, at("orders", 1));
}

#[tokio::test]
async fn a_full_stream_takes_it_when_there_is_room() {
    let (server, look) = with_stream("other").await;
    let full = Config {
        max_messages: 1,
        max_message_size: 100,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    look.stream_with("letters", full).await;
    let broker = connect(&server).await;
    publish(&broker, "letters", 1).await;
    let stored = broker.publish(&publication("letters", "2")).await;
    assert!(
        matches!(stored, Err(PublishError::Unavailable(_))),
        "{stored:?}"
    );
    let large = broker
        .publish(&publication("letters", &"x".repeat(200)))
        .await;
    assert!(matches!(large, Err(PublishError::TooLarge(_))), "{large:?}");
    let stream = look.jetstream.get_stream("letters").await.unwrap();
    stream.purge().await.unwrap();
    let stored = broker.publish(&publication("letters", "2")).await;
    assert_eq!(stored.map(|stored| stored.position), Ok(at("letters", 2)));
}

#[tokio::test]
async fn silence_is_noticed() {
    let (server, _look) = with_stream("orders").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &shared("orders")).await;
    let reason = {
        let _paused = server.pause();
        interruption(&source).await
    };
    assert_eq!(reason, "no heartbeat of the server came");
    source.close().await;
    publish(&broker, "orders", 1).await;
    let source = again(&broker, &shared("orders")).await;
    source.demand(crate::support::ALL);
    assert!(matches!(next(&source).await, SourceEvent::Assigned(_)));
    assert_eq!(message(&source).await.position.offset, 1);
}

/// Nothing comes through, and nobody says so: the worst that a network does.
#[tokio::test]
async fn an_owner_that_is_cut_off_loses_its_lease_and_settles_nothing() {
    let (server, look) = with_stream("orders").await;
    let proxy = Proxy::to(server.address()).await;
    let far = Address {
        ack_wait: ACK_WAIT,
        ..Address::new(proxy.address())
    };
    let (near, far) = (connect(&server).await, Nats::connect(&far).await.unwrap());
    publish(&near, "orders", 2).await;
    let (cut_off, _) = open(&far, &ordered("orders")).await;
    offsets(&cut_off, 2).await;
    proxy.hold();
    let end = end(&cut_off).await;
    assert!(
        matches!(end, SourceEvent::Lost(_) | SourceEvent::Interrupted(_)),
        "{end:?}"
    );
    let (source, assignment) = open(&near, &ordered("orders")).await;
    assert_eq!(assignment.delivered, Some(2));
    assert_eq!(
        cut_off.settle(&at("orders", 1)).await,
        Err(SourceError::Lost)
    );
    proxy.go_on();
    let mut came = offsets(&source, 2).await;
    came.sort_unstable();
    assert_eq!(came, [1, 2]);
    assert_eq!(crate::support::pending(&look, "orders").await, 2);
}

#[tokio::test]
async fn a_connection_that_is_cut_comes_back() {
    let (server, _look) = with_stream("orders").await;
    let proxy = Proxy::to(server.address()).await;
    let far = Address {
        ack_wait: ACK_WAIT,
        ..Address::new(proxy.address())
    };
    let broker = Nats::connect(&far).await.unwrap();
    publish(&broker, "orders", 2).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    offsets(&source, 2).await;
    proxy.cut();
    assert_eq!(interruption(&source).await, "the connection was cut");
    source.close().await;
    let source = again(&broker, &ordered("orders")).await;
    source.demand(crate::support::ALL);
    assert!(matches!(next(&source).await, SourceEvent::Assigned(_)));
    let mut came = offsets(&source, 2).await;
    came.sort_unstable();
    assert_eq!(came, [1, 2]);
}

#[tokio::test]
async fn what_retention_removed_is_counted_once() {
    let (server, look) = with_stream("other").await;
    let short = Config {
        max_messages: 2,
        ..Config::default()
    };
    look.stream_with("orders", short).await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 2).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    offsets(&source, 2).await;
    for offset in [1, 2] {
        source.settle(&at("orders", offset)).await.unwrap();
    }
    source.close().await;
    publish(&broker, "orders", 4).await;
    let (source, _) = open(&broker, &ordered("orders")).await;
    let SourceEvent::Gap { count, .. } = next(&source).await else {
        panic!("nothing is missing")
    };
    assert_eq!(count, 2);
    assert_eq!(offsets(&source, 2).await, [5, 6]);
    let mut settling = vec![];
    for offset in [5, 6] {
        settling.push(source.settle(&at("orders", offset)).await);
    }
    assert!(settling.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_stream_that_comes_to_hold_some_of_a_pattern_is_noticed() {
    let server = Server::start();
    let look = server.look().await;
    look.stream("orders.eu").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &ordered("orders.>")).await;
    look.stream("orders.us").await;
    let reason = interruption(&source).await;
    assert_eq!(reason, "orders.> lies in more than one stream now");
    source.close().await;
    let refused = refusal(&broker, &ordered("orders.>")).await;
    assert!(refused.contains("more than one stream"), "{refused}");
}
