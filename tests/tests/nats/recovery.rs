//! What goes wrong at the broker: each a state that says so, and a way on.

use std::collections::BTreeSet;
use std::time::Instant;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use futures_util::StreamExt;
use openfaas_delivery::broker::{
    Broker, Codec, Decoded, Header, Inspect, PublishError, Source, SourceError, SourceEvent,
};
use openfaas_delivery::nats::{Config as Address, Nats};
use openfaas_tests::nats::{Proxy, Server};
use openfaas_tests::runner::PATIENCE;

use crate::support::{
    ACK_WAIT, at, connect, durable, end, interruption, message, next, offsets, open, ordered,
    publication, publish, refusal, shared, until_ok, with_stream,
};

/// Opens again, as the engine does, until it opens.
async fn again(
    broker: &Nats,
    subscription: &openfaas_delivery::broker::Subscription,
) -> openfaas_delivery::nats::NatsSource {
    until_ok(async || broker.open(subscription).await.ok()).await
}

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

/// [RUN] async-nats ends the connection for a header that it cannot read, and the server gives the message again.
#[tokio::test]
async fn a_message_that_the_client_cannot_read_is_given_all_the_same() {
    let headers = b"NATS/1.0\r\nX-Name: caf\xe9\r\nno colon\r\n\r\n";
    let expected = [("X-Name", Some(&b"caf\xe9"[..])), ("no colon", None)];
    is_given_all_the_same(headers, &expected).await;
}

/// [RUN] async-nats panics for a bare CR in a value, and its client has ended with that.
#[tokio::test]
async fn a_message_that_ends_the_client_is_given_all_the_same() {
    let headers = b"NATS/1.0\r\nX-Name: a\rb\r\n\r\n";
    is_given_all_the_same(headers, &[("X-Name", Some(&b"a\rb"[..]))]).await;
}

#[tokio::test]
async fn a_message_of_another_version_of_headers_is_given_all_the_same() {
    let headers = b"NATS/2.0\r\nX-Name: a\r\n\r\n";
    let expected = [("NATS/2.0", None), ("X-Name", Some(&b"a"[..]))];
    is_given_all_the_same(headers, &expected).await;
}

/// What lies beside it in the stream comes too, and what is published after it.
async fn is_given_all_the_same(headers: &[u8], expected: &[(&str, Option<&[u8]>)]) {
    for subscription in [ordered("orders"), shared("orders")] {
        let (server, _look) = with_stream("orders").await;
        let broker = connect(&server).await;
        publish(&broker, "orders", 1).await;
        server.publish_raw("orders", headers, b"2");
        publish(&broker, "orders", 1).await;
        let mut source = again(&broker, &subscription).await;
        source.demand(crate::support::ALL);
        let mut came = BTreeSet::new();
        let end = Instant::now() + PATIENCE;
        while came.len() < 3 {
            assert!(Instant::now() < end, "only {came:?} came");
            match next(&source).await {
                SourceEvent::Assigned(_) => {}
                SourceEvent::Message(message) => {
                    let offset = message.position.offset;
                    if offset == 2 {
                        let pair = |header: &'_ Header| {
                            (
                                header.name.clone(),
                                header.value.as_deref().map(<[u8]>::to_vec),
                            )
                        };
                        let found: Vec<_> = message.headers.iter().map(pair).collect();
                        let expected = expected
                            .iter()
                            .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)));
                        assert_eq!(found, expected.collect::<Vec<_>>());
                        assert!(matches!(broker.decode(&message), Decoded::Broken(_)));
                    }
                    // The connection may be on its way back.
                    if source.settle(&message.position).await.is_ok() {
                        came.insert(offset);
                    }
                }
                _ => {
                    source.close().await;
                    source = again(&broker, &subscription).await;
                    source.demand(crate::support::ALL);
                }
            }
        }
        assert_eq!(source.pending("orders").await, Ok(0));
        publish(&broker, "orders", 1).await;
        assert_eq!(offsets(&source, 1).await, [4]);
    }
}

/// Whoever waits for the lease of another owner has found what that owner settles meanwhile.
#[tokio::test]
async fn what_another_owner_settled_is_not_given_to_who_waits() {
    let (server, look) = with_stream("orders").await;
    let (proxy, one) = (Proxy::to(server.address()).await, connect(&server).await);
    let far = Address {
        ack_wait: ACK_WAIT,
        ..Address::new(proxy.address())
    };
    let other = Nats::connect(&far).await.unwrap();
    server.publish_raw("orders", b"NATS/2.0\r\n\r\n", b"1");
    let owner = loop {
        let owner = again(&one, &ordered("orders")).await;
        owner.demand(crate::support::ALL);
        assert!(matches!(next(&owner).await, SourceEvent::Assigned(_)));
        match next(&owner).await {
            SourceEvent::Message(_) => break owner,
            _ => owner.close().await,
        }
    };
    // It looks for what the client cannot read, as it was cut twice.
    for _ in 0..2 {
        until_ok(async || other.reach().await.ok()).await;
        proxy.cut();
    }
    let client = look.jetstream.client();
    let subject = "$JS.API.STREAM.MSG.GET.orders";
    let mut found = client.subscribe(subject).await.unwrap();
    client.flush().await.unwrap();
    let subscription = ordered("orders");
    let waits = again(&other, &subscription);
    let owns = async {
        let asked = tokio::time::timeout(PATIENCE, found.next()).await;
        asked.expect("it looks").expect("for a message");
        // Longer than it takes whoever owns it alone to get the lease.
        let waited = Instant::now();
        let mut renewed = client.subscribe("$KV.openfaas.>").await.unwrap();
        while waited.elapsed() < ACK_WAIT * 4 {
            renewed.next().await.unwrap();
        }
        owner.settle(&at("orders", 1)).await.unwrap();
        owner.close().await;
        publish(&one, "orders", 1).await;
    };
    let (source, ()) = tokio::join!(waits, owns);
    source.demand(crate::support::ALL);
    assert!(matches!(next(&source).await, SourceEvent::Assigned(_)));
    assert_eq!(offsets(&source, 1).await, [2]);
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
