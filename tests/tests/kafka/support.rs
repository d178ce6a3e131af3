//! What every fact about Kafka needs: an owner, somebody who publishes, and patience.

use std::time::Duration;

use openfaas_delivery::broker::{
    Assignment, Broker, Count, Demand, Message, OpenError, Source, SourceEvent, Subscription,
};
use openfaas_delivery::kafka::{Kafka, KafkaSource, Settings};
use openfaas_delivery::wiring::Start;
use openfaas_tests::kafka::Server;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// Nothing that a test waits for takes longer, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What an owner of a test uses: short sessions, quick commits.
pub(crate) fn settings(server: &Server) -> Settings {
    Settings {
        session_timeout: Duration::from_secs(6),
        commit_every: Duration::from_millis(20),
        ..Settings::new(server.hosts())
    }
}

/// A topic for a group of its own name, from the oldest message on.
pub(crate) fn subscription(topic: &str) -> Subscription {
    Subscription {
        topic: topic.into(),
        durable: format!("group-{topic}").into(),
        start: Start::Oldest,
        ordered: true,
        window: None,
        transactions: false,
    }
}

/// An owner that takes whatever comes.
pub(crate) async fn open(server: &Server, topic: &str) -> KafkaSource {
    let source = try_open(server, topic).await.expect("it opens");
    source.demand(all());
    source
}

/// One that takes nothing yet.
pub(crate) async fn try_open(server: &Server, topic: &str) -> Result<KafkaSource, OpenError> {
    let kafka = Kafka::new(settings(server));
    within(kafka.open(&subscription(topic))).await
}

/// No limit.
pub(crate) fn all() -> Demand {
    up_to(u64::MAX / 2)
}

/// So many messages since the subscription opened.
pub(crate) fn up_to(messages: u64) -> Demand {
    let bytes = u64::MAX / 2;
    Demand {
        up_to: Count { messages, bytes },
        any_size_after: None,
    }
}

/// What comes next.
pub(crate) async fn next(source: &KafkaSource) -> SourceEvent {
    within(source.next()).await
}

/// The next message; what comes before it must be an assignment.
pub(crate) async fn message(source: &KafkaSource) -> Message {
    loop {
        match next(source).await {
            SourceEvent::Message(message) => return message,
            SourceEvent::Assigned(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The assignment that comes next.
pub(crate) async fn assigned(source: &KafkaSource) -> Assignment {
    match next(source).await {
        SourceEvent::Assigned(assignment) => assignment,
        other => panic!("{other:?}"),
    }
}

/// Publishes `0`, `1`, … to one partition, as somebody else's client does.
pub(crate) fn publish(server: &Server, topic: &str, partition: i32, bodies: std::ops::Range<u32>) {
    let producer: BaseProducer = server.client().create().expect("a client");
    for body in bodies {
        let body = body.to_string();
        let headers = OwnedHeaders::new().insert(Header {
            key: "number",
            value: Some(&body),
        });
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(partition);
        let record = record.payload(&body).headers(headers);
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("room");
    }
    producer.flush(PATIENCE).expect("they are stored");
}

/// The body of a message as text.
pub(crate) fn body(message: &Message) -> &str {
    let body = message.body.as_deref().expect("a body");
    std::str::from_utf8(body).expect("text")
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, waiting).await;
    done.unwrap_or_else(|_| panic!("it does not come about: {what}"));
}

/// Waits for something that comes.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it takes no longer")
}
