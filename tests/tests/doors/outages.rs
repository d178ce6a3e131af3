//! A door whose broker, or whose way to it, is gone for a while.

use std::time::{Duration, Instant};

use openfaas_tests::runner::until;

use crate::support::{Stage, until_ready};

/// By this order a door holds a lease, or shares its topic.
const ORDERS: [&str; 2] = ["key", "none"];

#[tokio::test]
async fn a_server_that_was_away_longer_than_a_lease_lasts_is_taken_up_again() {
    for order in ORDERS {
        let mut stage = Stage::nats("away").await;
        let function = stage.start(&[("events_order", order)]);
        stage.publish("one", "").await;
        stage.until_done(&["one"]).await;
        stage.kill();
        let gone = Instant::now();
        // No lease is left, and what was asked of the server when it went is given up.
        let long = async || {
            let unready = function.get("/_/ready").status == 503;
            (unready && gone.elapsed() > Duration::from_secs(7)).then_some(())
        };
        until("it has given up", long).await;
        stage.restart();
        until_ready(&function).await;
        stage.publish("two", "").await;
        stage.until_done(&["one", "two"]).await;
        stage.until_settled().await;
    }
}

/// async-nats panics for a bare CR in the value of a header, and its client has ended with that.
#[tokio::test]
async fn a_message_that_ends_the_client_is_a_dead_letter_and_the_rest_goes_on() {
    for order in ORDERS {
        let stage = Stage::nats("ended").await;
        let function = stage.start(&[("events_order", order)]);
        stage.publish("one", "work").await;
        let at_work = async || {
            let calls = function.metric("http_requests_in_flight");
            calls.filter(|calls| *calls > 0.0)
        };
        until("one is at work", at_work).await;
        stage.publish_raw(b"NATS/1.0\r\nX-Name: a\rb\r\n\r\n", b"{}");
        let letter = async || stage.letters().await.pop();
        let notes = until("a dead letter", letter).await;
        assert!(notes.reason.contains("\"X-Name\""), "{notes:?}");
        stage.publish("two", "").await;
        let both = async || (stage.done().await.len() == 2).then_some(());
        until("both are done", both).await;
        stage.until_settled().await;
        until_ready(&function).await;
    }
}
