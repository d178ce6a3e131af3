//! What lies on a server, read past every group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use openfaas_delivery::broker::{Header, Message, Position};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header as Native, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::Server;

/// No answer of a server on this machine takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients, by the group they ask for.
#[derive(Default)]
pub(super) struct Clients {
    asking: Mutex<HashMap<String, Arc<BaseConsumer>>>,
}

/// What a group has committed of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// What stands beside it.
    pub metadata: String,
}

impl Server {
    /// The numbers of a topic's partitions.
    pub fn partitions(&self, topic: &str) -> Vec<i32> {
        let metadata = self.asking("").fetch_metadata(Some(topic), PATIENCE);
        let metadata = metadata.expect("an answer");
        let partitions = metadata.topics()[0].partitions();
        partitions.iter().map(|partition| partition.id()).collect()
    }

    /// Where a partition begins and ends.
    pub fn ends(&self, topic: &str, partition: i32) -> (i64, i64) {
        let ends = self.asking("").fetch_watermarks(topic, partition, PATIENCE);
        ends.expect("an answer")
    }

    /// How many offsets a topic has ever had; `None` while the server does not answer.
    pub fn stored(&self, topic: &str) -> Option<usize> {
        const SOON: Duration = Duration::from_secs(2);
        let client = self.asking("");
        let metadata = client.fetch_metadata(Some(topic), SOON).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let end = |id| Some(client.fetch_watermarks(topic, id, SOON).ok()?.1 as usize);
        partitions.iter().map(|partition| end(partition.id())).sum()
    }

    /// What a group has committed of a partition, if anything.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let client = self.asking(group);
        let until = Instant::now() + PATIENCE;
        let found = loop {
            match client.committed_offsets(list.clone(), PATIENCE) {
                // Its first group makes a server ready for groups.
                Err(error) if is_early(&error) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                found => break found.expect("an answer"),
            }
        };
        let found = &found.elements()[0];
        match found.offset() {
            Offset::Offset(offset) => Some(Committed {
                offset,
                metadata: found.metadata().to_owned(),
            }),
            _ => None,
        }
    }

    /// Commits for a group that has no members.
    pub fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        // Once it is known who looks after the group.
        self.committed(group, topic, partition);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("an offset");
        let committed = self.asking(group).commit(&list, CommitMode::Sync);
        committed.expect("an answer");
    }

    /// How many offsets of a topic a group has not committed.
    pub fn lag(&self, group: &str, topic: &str) -> usize {
        let of = |partition| {
            let (low, high) = self.ends(topic, partition);
            let committed = self.committed(group, topic, partition);
            high - committed.map_or(low, |committed| committed.offset)
        };
        self.partitions(topic).into_iter().map(of).sum::<i64>() as usize
    }

    /// Publishes JSON under a key and a media type.
    pub fn publish(&self, topic: &str, key: &str, media_type: &str, body: &serde_json::Value) {
        let producer: BaseProducer = self.client().create().expect("a client");
        let headers = OwnedHeaders::new().insert(Native {
            key: "content-type",
            value: Some(media_type),
        });
        let body = body.to_string();
        let record = BaseRecord::to(topic).key(key).payload(&body);
        let sent = producer.send(record.headers(headers));
        sent.map_err(|(error, _)| error).expect("room");
        producer.flush(PATIENCE).expect("it is stored");
    }

    /// All messages of a topic that are committed, oldest first.
    pub fn messages(&self, topic: &str) -> Vec<Message> {
        let mut config = self.client();
        config.set("group.id", "nobody");
        config.set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a client");
        let mut list = TopicPartitionList::new();
        let partitions = self.partitions(topic);
        for partition in &partitions {
            list.add_partition_offset(topic, *partition, Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let (mut messages, mut ended) = (Vec::new(), 0);
        while ended < partitions.len() {
            match consumer.poll(PATIENCE).expect("it ends") {
                Ok(message) => messages.push(owned(&message)),
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => panic!("{topic}: {error}"),
            }
        }
        messages.sort_by_key(|message| message.time);
        messages
    }

    fn asking(&self, group: &str) -> Arc<BaseConsumer> {
        let mut clients = self
            .clients
            .asking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(group.to_owned()).or_insert_with(|| {
            let mut config = self.client();
            if !group.is_empty() {
                config.set("group.id", group);
            }
            Arc::new(config.create().expect("a client"))
        });
        Arc::clone(client)
    }
}

/// Whether a server does not know yet who looks after a group.
pub fn is_early(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(
        error.rdkafka_error_code(),
        Some(CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)
    )
}

fn owned(record: &impl rdkafka::Message) -> Message {
    let bytes = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
    let millis = record.timestamp().to_millis().unwrap_or_default();
    let headers = record.headers().into_iter().flat_map(|headers| {
        (0..headers.count()).map(|index| {
            let header = headers.get(index);
            Header {
                name: header.key.to_owned(),
                value: bytes(header.value),
            }
        })
    });
    Message {
        topic: Arc::from(record.topic()),
        position: Position {
            log: format!("{}/{}", record.topic(), record.partition()).into(),
            offset: record.offset() as u64,
        },
        time: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis as u64)),
        key: bytes(record.key()),
        headers: headers.collect(),
        body: bytes(record.payload()),
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Clients").finish()
    }
}
