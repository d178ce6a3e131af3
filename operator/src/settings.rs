//! What a stack does not say: where brokers are, how far and how fast to scale.

use clap::{Args, ValueEnum};
use openfaas_delivery::wiring::{self, Broker};

/// How to render.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// What OpenFaaS it is for
    #[arg(long, value_enum, default_value_t = Profile::Ce)]
    pub profile: Profile,
    /// Whose connector delivers to functions that name no broker
    #[arg(long, value_name = "BROKER", value_enum, default_value_t = Connector::Nats)]
    pub connector: Connector,
    /// Where connectors are deployed
    #[arg(long, value_name = "NAMESPACE", default_value = "openfaas")]
    pub connector_namespace: String,
    /// The monitoring port of NATS, by a headless Service
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "nats.openfaas.svc:8222"
    )]
    pub nats_monitoring: String,
    /// The account of NATS whose streams they are; otherwise the key `account` of the ConfigMap `openfaas-nats` says it
    #[arg(long, value_name = "ACCOUNT")]
    pub nats_account: Option<String>,
    /// The stream that a topic lies in, where it is not the topic in capitals; can be given several times
    #[arg(long, value_name = "TOPIC=STREAM", value_parser = stream)]
    pub stream: Vec<(String, String)>,
    /// Kafka's bootstrap servers
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        default_value = "kafka.openfaas.svc:9092"
    )]
    pub kafka: String,
    /// What the connector's groups begin with, as its variable `group` says
    #[arg(long, value_name = "PREFIX", default_value = wiring::GROUP_PREFIX)]
    pub kafka_group: String,
    /// Kafka is spoken to over TLS; the Secret `openfaas-kafka` may hold `ca`, `cert` and `key`
    #[arg(long)]
    pub kafka_tls: bool,
    /// Kafka asks who is there; the Secret `openfaas-kafka` holds `username` and `password`
    #[arg(long, value_name = "MECHANISM", value_enum)]
    pub kafka_sasl: Option<Sasl>,
    /// The Prometheus that has the metrics of connectors and functions, for a second opinion; empty for none
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://prometheus.openfaas.svc:9090"
    )]
    pub prometheus: String,
    /// Never more replicas than this; OpenFaaS CE allows a function 5
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_replicas: u32,
    /// With no more waiting than this, nobody is started
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub activation: u32,
    /// Seconds from one look at the lag to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub polling_interval: u32,
    /// Seconds without lag until the last replica of a function goes
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub cooldown: u32,
    /// Seconds for which fewer replicas must have been enough before one is taken away
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub scale_down_after: u32,
    /// KEDA leaves all as it is until the annotation is taken away
    #[arg(long)]
    pub paused: bool,
}

/// What OpenFaaS it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// The Community Edition, which sets a function's replicas back to between 1 and 5
    Ce,
    /// Any other: functions go to zero
    Plain,
}

/// A broker with a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Connector {
    /// openfaas-connector nats
    Nats,
    /// openfaas-connector kafka
    Kafka,
}

/// How Kafka asks who is there, as KEDA names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Sasl {
    /// PLAIN
    Plaintext,
    /// SCRAM-SHA-256
    #[value(name = "scram_sha256")]
    ScramSha256,
    /// SCRAM-SHA-512
    #[value(name = "scram_sha512")]
    ScramSha512,
}

impl Settings {
    /// The stream that a topic is taken to lie in.
    pub fn stream_of(&self, topic: &str) -> String {
        let said = self.stream.iter().find(|(name, _)| name == topic);
        said.map_or_else(|| wiring::stream(topic), |(_, stream)| stream.clone())
    }
}

impl From<Connector> for Broker {
    fn from(connector: Connector) -> Self {
        match connector {
            Connector::Nats => Self::Nats,
            Connector::Kafka => Self::Kafka,
        }
    }
}

impl Sasl {
    /// As KEDA names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::ScramSha256 => "scram_sha256",
            Self::ScramSha512 => "scram_sha512",
        }
    }
}

fn stream(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((topic, stream)) if !topic.is_empty() && !stream.is_empty() => {
            Ok((topic.to_owned(), stream.to_owned()))
        }
        _ => Err("write TOPIC=STREAM".to_owned()),
    }
}
