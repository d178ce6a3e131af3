//! What `--check` asks of the brokers, and `--create` tells them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::broker::Kafka;
use super::check::{config, on_a_thread};
use super::transaction::{self, Allowed};
use crate::broker::{Broker, Inspect, OpenError, Purpose};
use crate::wiring::Wiring;

/// A broker that has not answered by then does not answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

impl Inspect for Kafka {
    async fn reach(&self) -> Result<(), OpenError> {
        let client = self.client()?;
        let asked = on_a_thread(move || {
            // No topic of that name has to be there.
            let found = client.client().fetch_metadata(Some("openfaas"), TIMEOUT);
            found
                .map(drop)
                .map_err(|error| client.context().explain(&error))
        });
        asked.await.map_err(OpenError::Unavailable)
    }

    async fn find(&self, topic: &str) -> Result<(), OpenError> {
        self.exists(&Arc::from(topic), config(Purpose::Reply)).await
    }

    async fn denied(&self, wiring: &Wiring) -> Result<Vec<String>, OpenError> {
        let mut denied = Vec::new();
        for topic in &wiring.topics {
            let group = self.durable(wiring, topic);
            let hosts = &self.settings().hosts;
            match self.committed(&group, topic).await {
                Err(Asked::Kafka(error)) if is_denied(&error) => denied.push(format!(
                    "group `{group}` may not be used by this user: `kafka-acls.sh --bootstrap-server {hosts} --add --allow-principal User:NAME --operation Read --group {group}` allows it"
                )),
                // A topic that is not there is said elsewhere.
                Err(Asked::Kafka(_)) | Ok(_) => {}
                Err(Asked::Thread(reason)) => return Err(OpenError::Unavailable(reason)),
            }
        }
        denied.dedup();
        if wiring.transactions {
            let (settings, group) = (self.settings().clone(), self.durable(wiring, ""));
            let id = format!("{group}.check");
            let begin = move || {
                let begun = transaction::open(&settings, &id, &Allowed::All(&group));
                Ok(begun.map(drop))
            };
            let begun = on_a_thread(begin).await;
            match begun.map_err(OpenError::Unavailable)? {
                Ok(()) => {}
                Err(OpenError::NotReady(reason)) => denied.push(reason),
                Err(error) => return Err(error),
            }
        }
        Ok(denied)
    }

    async fn create(&self, topic: &str, purpose: Option<Purpose>) -> Result<(), OpenError> {
        let refused = |reason: String| {
            OpenError::NotReady(format!("topic `{topic}` cannot be made: {reason}"))
        };
        let admin: AdminClient<DefaultClientContext> = self
            .settings()
            .client()
            .create()
            .map_err(|error| refused(error.to_string()))?;
        // As many copies as the brokers make of a topic by themselves.
        let replicas = TopicReplication::Fixed(-1);
        let new = match purpose {
            Some(Purpose::DeadLetter) => {
                NewTopic::new(topic, 1, replicas).set("retention.ms", "-1")
            }
            Some(Purpose::Reply) | None => NewTopic::new(topic, 6, replicas),
        };
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let made = admin.create_topics([&new], &options).await;
        match made.map_err(|error| refused(error.to_string()))?.pop() {
            Some(Err((_, code))) if code != Code::TopicAlreadyExists => {
                Err(refused(code.to_string()))
            }
            _ => self.seen(topic).await,
        }
    }
}

/// Why something was not answered.
#[derive(Debug)]
pub(super) enum Asked {
    /// The brokers said so.
    Kafka(KafkaError),
    /// Nobody asked.
    Thread(String),
}

impl Kafka {
    /// Waits a moment until the brokers that are asked have heard of a new topic.
    async fn seen(&self, topic: &str) -> Result<(), OpenError> {
        let until = Instant::now() + TIMEOUT;
        loop {
            match self.find(topic).await {
                Err(OpenError::NotReady(_)) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                found => return found,
            }
        }
    }

    /// What a group has committed of a topic: an offset for each partition that it knows.
    pub(super) async fn committed(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<Vec<(i32, i64)>, Asked> {
        let consumer = self.outsider(group)?;
        let topic = topic.to_owned();
        let asked = on_a_thread(move || Ok(known(&consumer, &topic)));
        let found = asked.await.map_err(Asked::Thread)?;
        found.map_err(Asked::Kafka)
    }

    /// A client that speaks for a group without being in it.
    pub(super) fn outsider(&self, group: &str) -> Result<BaseConsumer, Asked> {
        let mut config = self.settings().client();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        config.create().map_err(Asked::Kafka)
    }
}

fn known(consumer: &BaseConsumer, topic: &str) -> Result<Vec<(i32, i64)>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let mut all = TopicPartitionList::new();
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        all.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(all, TIMEOUT)?;
    let known = committed
        .elements()
        .into_iter()
        .filter_map(|found| match found.offset() {
            rdkafka::Offset::Offset(offset @ 0..) => Some((found.partition(), offset)),
            _ => None,
        });
    Ok(known.collect())
}

fn is_denied(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::GroupAuthorizationFailed | Code::TopicAuthorizationFailed)
    )
}
