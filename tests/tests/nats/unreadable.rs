//! Messages that the client cannot read: it ends the connection over them, or itself.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::StreamExt;
use openfaas_delivery::broker::{Codec, Decoded, Header, Inspect, Source, SourceEvent};
use openfaas_delivery::nats::{Config as Address, Nats};
use openfaas_tests::nats::Proxy;
use openfaas_tests::runner::PATIENCE;

use crate::support::{
    ACK_WAIT, ALL, again, at, connect, next, offsets, ordered, publish, shared, until_ok,
    with_stream,
};

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
        source.demand(ALL);
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
                    source.demand(ALL);
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
        owner.demand(ALL);
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
    source.demand(ALL);
    assert!(matches!(next(&source).await, SourceEvent::Assigned(_)));
    assert_eq!(offsets(&source, 1).await, [2]);
}
