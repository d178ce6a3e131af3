//! Whether a topic is there and can be stored to.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::Producer;
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::oneshot;

use super::producer::Client;
use super::settings::Settings;
use crate::broker::{OpenError, Purpose};

/// A broker that has not answered by then does not answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks for a topic by name.
///
/// # Errors
/// It is missing or may not be seen; the broker does not answer.
pub(super) async fn exists(
    client: Arc<Client>,
    settings: &Settings,
    topic: &Arc<str>,
    config: &str,
) -> Result<(), OpenError> {
    if !is_name(topic) {
        return Err(OpenError::NotReady(format!(
            "`{topic}` cannot be a Kafka topic: letters, digits, `.`, `_` and `-`, at most 249 of them"
        )));
    }
    let asked = Arc::clone(topic);
    let found = on_a_thread(move || {
        let metadata = match client.client().fetch_metadata(Some(&asked), TIMEOUT) {
            Ok(metadata) => metadata,
            Err(error) => return Err(client.context().explain(&error)),
        };
        let topic = metadata.topics().first();
        Ok(topic
            .and_then(|topic| topic.error())
            .map(RDKafkaErrorCode::from))
    });
    match found.await.map_err(OpenError::Unavailable)? {
        None => Ok(()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
            Err(OpenError::NotReady(missing(settings, topic, config)))
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(OpenError::NotReady(format!(
            "topic `{topic}` may not be used by this user: `kafka-acls.sh --bootstrap-server {} --add --allow-principal User:NAME --operation All --topic {topic}` allows it",
            settings.hosts
        ))),
        Some(code) => Err(OpenError::Unavailable(format!("topic `{topic}`: {code}"))),
    }
}

/// The sentence about a topic that is not there.
pub(super) fn missing(settings: &Settings, topic: &str, config: &str) -> String {
    format!(
        "topic `{topic}` does not exist: `kafka-topics.sh --bootstrap-server {} --create --topic {topic}{config}` makes it",
        settings.hosts
    )
}

/// What a topic is made with, for what it is to be.
pub(super) fn config(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Reply => " --partitions 6",
        // Nobody but a person takes letters out.
        Purpose::DeadLetter => " --partitions 1 --config retention.ms=-1",
    }
}

/// Whether letters stay in this topic: in a compacted one those of one key would replace each other.
///
/// # Errors
/// They do not; the broker does not answer.
pub(super) async fn keeps_letters(settings: &Settings, topic: &str) -> Result<(), OpenError> {
    let unavailable = |error: rdkafka::error::KafkaError| OpenError::Unavailable(error.to_string());
    let admin: AdminClient<DefaultClientContext> =
        settings.client().create().map_err(unavailable)?;
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let resource = ResourceSpecifier::Topic(topic);
    let answer = admin.describe_configs([&resource], &options).await;
    let policy = match answer.map_err(unavailable)?.pop() {
        Some(Ok(config)) => config
            .get("cleanup.policy")
            .and_then(|policy| policy.value.clone()),
        // One who may not ask may still publish.
        Some(Err(_)) | None => None,
    };
    match policy {
        Some(policy) if policy.contains("compact") => Err(OpenError::NotReady(format!(
            "topic `{topic}` is compacted, so that one dead letter would replace another of the same key: `kafka-configs.sh --bootstrap-server {} --alter --topic {topic} --add-config cleanup.policy=delete` makes it keep them",
            settings.hosts
        ))),
        _ => Ok(()),
    }
}

/// Does something that blocks.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("kafka-ask".into());
    thread
        .spawn(move || tell.send(work()))
        .map_err(|error| error.to_string())?;
    told.await
        .unwrap_or_else(|_| Err("the question was not answered".into()))
}

fn is_name(topic: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&topic.len()) && topic.chars().all(legal) && topic != "." && topic != ".."
}
