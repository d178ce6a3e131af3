//! Over Kafka.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use openfaas_delivery::wiring;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::broker::Broker;
use super::fate::{HOPS, NAMESPACE, Work, letters, topic};
use crate::kafka::Server;

/// One node of Kafka.
pub struct OnKafka {
    server: Server,
    producer: ThreadedProducer<DefaultProducerContext>,
    end: End,
}

/// Who counts what comes to the end of the chain: markers of transactions take offsets too.
struct End {
    reader: BaseConsumer,
    count: Cell<usize>,
}

/// Of every topic.
const PARTITIONS: i32 = 4;

impl Broker for OnKafka {
    const NAME: &'static str = "kafka";

    async fn start() -> Self {
        let server = Server::start();
        for hop in 0..=HOPS.len() {
            server.create(&topic(hop), PARTITIONS, &[]).await;
        }
        for hop in 0..HOPS.len() {
            server.create(&letters(hop), 1, &[]).await;
        }
        let mut config = server.client();
        // In order and once, however long the server is away.
        config
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("linger.ms", "5");
        Self {
            producer: config.create().expect("a producer"),
            end: End::of(&server, &topic(HOPS.len())),
            server,
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        [
            ("broker_hosts", self.server.hosts()),
            // Or each one that is killed holds its partitions for 45 s.
            ("session_timeout", "6".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    async fn publish(&self, work: &[Work]) {
        tokio::task::block_in_place(|| {
            work.iter().for_each(|work| self.publish_one(work));
            while self.producer.flush(Duration::from_secs(60)).is_err() {}
        });
    }

    async fn ended(&self) -> Option<usize> {
        let mut letters = (0..HOPS.len()).map(letters);
        tokio::task::block_in_place(|| {
            let letters: Option<usize> =
                letters.try_fold(0, |sum, topic| Some(sum + self.server.stored(&topic)?));
            Some(letters? + self.end.count())
        })
    }

    async fn unsettled(&self, hop: usize) -> Option<usize> {
        let topic = topic(hop);
        let group = wiring::group(NAMESPACE, HOPS[hop]);
        tokio::task::block_in_place(|| {
            self.server.stored(&topic)?;
            Some(self.server.lag(&group, &topic))
        })
    }

    async fn bodies(&self, topic: &str) -> Vec<Bytes> {
        let mut messages = tokio::task::block_in_place(|| self.server.messages(topic));
        messages.sort_by(|one, other| one.position.cmp(&other.position));
        let bodies = messages.into_iter().map(|message| message.body);
        bodies.map(Option::unwrap_or_default).collect()
    }

    async fn take_letters(&self, open: bool) {
        // Two copies are asked for where there is one server.
        let copies = if open { "1" } else { "2" };
        for hop in 0..HOPS.len() {
            let topic = letters(hop);
            self.server
                .configure(&topic, &[("min.insync.replicas", copies)])
                .await;
        }
    }

    fn kill_and_restart(&self) {
        tokio::task::block_in_place(|| {
            self.server.kill();
            self.server.restart();
        });
    }
}

impl End {
    fn of(server: &Server, topic: &str) -> Self {
        let mut config = server.client();
        config.set("group.id", "nobody");
        let reader: BaseConsumer = config.create().expect("a client");
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let added = list.add_partition_offset(topic, partition, Offset::Beginning);
            added.expect("an offset");
        }
        reader.assign(&list).expect("an assignment");
        Self {
            reader,
            count: Cell::default(),
        }
    }

    fn count(&self) -> usize {
        // A server that is away is an error to pass over.
        while let Some(came) = self.reader.poll(Duration::ZERO) {
            self.count.set(self.count.get() + usize::from(came.is_ok()));
        }
        self.count.get()
    }
}

impl OnKafka {
    fn publish_one(&self, work: &Work) {
        let (id, key) = (work.number.to_string(), work.key.to_string());
        let body = serde_json::to_vec(work).expect("JSON");
        let headers = [
            ("content-type", "application/json"),
            ("ce_specversion", "1.0"),
            ("ce_type", "chaos.work"),
            ("ce_source", "/chaos"),
            ("ce_id", &id),
            ("ce_partitionkey", &key),
        ];
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| {
                all.insert(Header {
                    key,
                    value: Some(value),
                })
            });
        let topic = topic(0);
        let record = BaseRecord::to(&topic).key(&key).payload(&body);
        let mut record = Some(record.headers(headers));
        // A full queue takes more when the server has taken some.
        while let Some(waiting) = record.take() {
            if let Err((_, back)) = self.producer.send(waiting) {
                record = Some(back);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl std::fmt::Debug for OnKafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnKafka").finish_non_exhaustive()
    }
}
