//! What all of these tests need.

use std::sync::Arc;
use std::time::Duration;

use openfaas_delivery::broker::{
    Assignment, Broker, Count, Demand, Message, OpenError, Position, Publication, Source,
    SourceEvent, Subscription,
};
use openfaas_delivery::nats::{Config, Nats, NatsSource};
use openfaas_delivery::wiring::Start;
use openfaas_tests::nats::{Look, Server};
use openfaas_tests::runner::PATIENCE;
use tokio::time::{sleep, timeout};

/// A tenth of what it is outside tests, and with it all other times.
pub(crate) const ACK_WAIT: Duration = Duration::from_millis(800);

/// As much as there is.
pub(crate) const ALL: Demand = Demand {
    up_to: Count {
        messages: 10_000,
        bytes: u64::MAX / 2,
    },
    any_size_after: None,
};

/// A server with one stream, for one subject.
pub(crate) async fn with_stream(subject: &str) -> (Server, Look) {
    let server = Server::start();
    let look = server.look().await;
    look.stream(subject).await;
    (server, look)
}

/// A configuration with short times.
pub(crate) fn config(server: &Server) -> Config {
    Config {
        ack_wait: ACK_WAIT,
        ..Config::new(server.address())
    }
}

/// A broker with a connection of its own.
pub(crate) async fn connect(server: &Server) -> Nats {
    Nats::connect(&config(server)).await.unwrap()
}

/// An ordered subscription, whose durable is named after its subject.
pub(crate) fn ordered(subject: &str) -> Subscription {
    Subscription {
        topic: subject.into(),
        durable: durable(subject).into(),
        start: Start::Oldest,
        ordered: true,
        window: Some(1_000),
        transactions: false,
    }
}

/// The same, shared by many owners.
pub(crate) fn shared(subject: &str) -> Subscription {
    Subscription {
        ordered: false,
        window: None,
        ..ordered(subject)
    }
}

pub(crate) fn durable(subject: &str) -> String {
    format!(
        "tests_function_{}",
        openfaas_tests::nats::stream_of(subject)
    )
}

/// Opens a subscription, demands everything, and says what it begins with.
pub(crate) async fn open(
    broker: &Nats,
    subscription: &Subscription,
) -> (Arc<NatsSource>, Assignment) {
    let opening = timeout(PATIENCE, broker.open(subscription)).await;
    let source = opening.expect("it opens in time").expect("it opens");
    source.demand(ALL);
    match next(&source).await {
        SourceEvent::Assigned(assignment) => (Arc::new(source), assignment),
        other => panic!("{other:?}"),
    }
}

/// Opens again, as the engine does, until it opens.
pub(crate) async fn again(broker: &Nats, subscription: &Subscription) -> NatsSource {
    until_ok(async || broker.open(subscription).await.ok()).await
}

/// Why a subscription does not open.
pub(crate) async fn refusal(broker: &Nats, subscription: &Subscription) -> String {
    match broker.open(subscription).await {
        Err(OpenError::NotReady(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn next(source: &NatsSource) -> SourceEvent {
    let next = timeout(PATIENCE, source.next()).await;
    next.expect("something comes")
}

/// The next message; anything else is wrong.
pub(crate) async fn message(source: &NatsSource) -> Message {
    match next(source).await {
        SourceEvent::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

/// The places in the stream of the next so many messages.
pub(crate) async fn offsets(source: &NatsSource, count: usize) -> Vec<u64> {
    let mut offsets = Vec::new();
    while offsets.len() < count {
        offsets.push(message(source).await.position.offset);
    }
    offsets
}

/// What ends an owner: an interruption, or the loss of its lease.
pub(crate) async fn end(source: &NatsSource) -> SourceEvent {
    loop {
        match next(source).await {
            SourceEvent::Message(_) => {}
            end @ (SourceEvent::Interrupted(_) | SourceEvent::Lost(_)) => return end,
            other => panic!("{other:?}"),
        }
    }
}

/// Why an owner was interrupted.
pub(crate) async fn interruption(source: &NatsSource) -> String {
    match end(source).await {
        SourceEvent::Interrupted(reason) => reason,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn publication(subject: &str, body: &str) -> Publication {
    Publication {
        topic: subject.into(),
        dedup: None,
        key: None,
        headers: Vec::new(),
        body: Some(body.to_owned().into()),
    }
}

/// Publishes so many messages.
pub(crate) async fn publish(broker: &Nats, subject: &str, count: usize) {
    for number in 0..count {
        let publication = publication(subject, &number.to_string());
        let publishing = until_ok(async || broker.publish(&publication).await.ok());
        publishing.await;
    }
}

/// The place in the stream that [`Look::stream`] makes for a subject.
pub(crate) fn at(subject: &str, offset: u64) -> Position {
    Position {
        log: openfaas_tests::nats::stream_of(subject).as_str().into(),
        offset,
    }
}

/// Messages that are given out and not settled.
pub(crate) async fn pending(look: &Look, subject: &str) -> usize {
    let info = look.durable(subject, &durable(subject)).await;
    info.expect("there is a durable").num_ack_pending
}

/// Tries until there is a result.
pub(crate) async fn until_ok<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let trying = async {
        loop {
            match attempt().await {
                Some(done) => return done,
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    timeout(PATIENCE, trying).await.expect("it is done in time")
}

/// Waits for a condition.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    until_ok(async || condition().await.then_some(())).await;
}
