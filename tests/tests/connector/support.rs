//! A server, a gateway and a connector between them.

use std::time::Duration;

use openfaas_tests::connector::{Connector, Gateway};
use openfaas_tests::kafka;
use openfaas_tests::nats::{Look, Server};
use openfaas_tests::runner::until;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// A server on this machine takes what is sent well before.
const PATIENCE: Duration = Duration::from_secs(20);

/// All that a test needs.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) look: Look,
    pub(crate) gateway: Gateway,
}

impl Scene {
    pub(crate) async fn new(subjects: &[&str]) -> Self {
        let server = Server::start();
        let look = server.look().await;
        Self::with(server, look, subjects).await
    }

    /// With more lines in the server's configuration, and the user and password of who may look.
    pub(crate) async fn guarded(lines: &str, who: (&str, &str), subjects: &[&str]) -> Self {
        let server = Server::configured(lines);
        let options =
            async_nats::ConnectOptions::with_user_and_password(who.0.into(), who.1.into());
        let client = options.connect(server.address()).await.unwrap();
        Self::with(server, Look::through(client), subjects).await
    }

    async fn with(server: Server, look: Look, subjects: &[&str]) -> Self {
        for subject in subjects {
            look.stream(subject).await;
        }
        look.stream("dead-letter.>").await;
        Self {
            server,
            look,
            gateway: Gateway::start().await,
        }
    }

    pub(crate) async fn connector(&self, environment: &[(&str, &str)]) -> Connector {
        let address = self.server.address();
        let mut all = vec![
            ("broker_host", address.as_str()),
            ("gateway_url", self.gateway.url.as_str()),
        ];
        all.extend(environment);
        Connector::start("nats", &all).await
    }

    pub(crate) async fn publish(&self, subject: &str, body: &str) {
        let publish = self
            .look
            .jetstream
            .publish(subject.to_owned(), body.to_owned().into());
        publish.await.unwrap().await.unwrap();
    }
}

/// A message as anybody's client publishes it.
#[derive(Default)]
pub(crate) struct Plain {
    pub(crate) topic: &'static str,
    /// Of a Kafka record.
    pub(crate) key: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// Of an event in binary mode.
    pub(crate) attributes: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
}

/// Publishes to JetStream.
pub(crate) async fn publish_to_nats(look: &Look, message: Plain) {
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in message.attributes {
        headers.insert(format!("ce-{name}"), value);
    }
    if !message.media_type.is_empty() {
        headers.insert("content-type", message.media_type);
    }
    for (name, value) in message.headers {
        headers.insert(name, value);
    }
    let publish = look
        .jetstream
        .publish_with_headers(message.topic, headers, message.body.into());
    publish.await.unwrap().await.unwrap();
}

/// Publishes a record.
pub(crate) fn publish_to_kafka(server: &kafka::Server, message: Plain) {
    let mut headers = OwnedHeaders::new();
    let mut add = |key: &str, value| {
        let all = std::mem::take(&mut headers);
        headers = all.insert(Header {
            key,
            value: Some(value),
        });
    };
    for (name, value) in message.attributes {
        add(&format!("ce_{name}"), value);
    }
    if !message.media_type.is_empty() {
        add("content-type", message.media_type);
    }
    for (name, value) in message.headers {
        add(name, value);
    }
    let producer: BaseProducer = server.client().create().unwrap();
    let record = BaseRecord::to(message.topic)
        .key(message.key)
        .payload(&message.body);
    producer
        .send(record.headers(headers))
        .map_err(|(error, _)| error)
        .unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Waits until a connector shows this metric, by its name and some of its labels, with this value.
pub(crate) async fn until_metric(connector: &Connector, name: &str, labels: &[&str], value: &str) {
    let shown = async || {
        let (_, text) = connector.get("/metrics").await;
        let is = |line: &str| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with('{'));
            rest.is_some_and(|rest| {
                rest.ends_with(&format!("}} {value}"))
                    && labels.iter().all(|label| rest.contains(label))
            })
        };
        text.lines().any(is).then_some(())
    };
    until(&format!("{name} {labels:?} is {value}"), shown).await;
}

/// Runs a command of the connector: its exit code, and all that it wrote.
pub(crate) async fn said(
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, String) {
    let ended = openfaas_tests::connector::run(arguments, environment).await;
    (ended.code, ended.stdout + &ended.stderr)
}
