//! A real Kafka, one node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openfaas_delivery::wiring;
use openfaas_tests::kafka::{Server, is_early};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::block_in_place;

use crate::broker::{Broker, LETTERS, NAMESPACE, PATIENCE, Pace, Times, data, key};
use crate::error::Error;

/// Of every topic.
const PARTITIONS: usize = 6;

/// How often it is looked whether a commit came, for latencies.
const LOOK: Duration = Duration::from_millis(2);

/// The server and clients of the bench's own.
pub(crate) struct Kafka {
    server: Server,
    producer: ThreadedProducer<DefaultProducerContext>,
    /// Who asks what a group has committed.
    asking: Mutex<HashMap<String, Arc<BaseConsumer>>>,
}

impl Broker for Kafka {
    const NAME: &'static str = "kafka";

    const ABOUT: &'static str = "Kafka, one node, topics of 6 partitions; a settled event is one whose offset is committed, every 500 ms on both sides and here also after 500 events; \
         beside it librdkafka, which stores the offset of each message it has read and commits what is stored";

    async fn start() -> Result<Self, Error> {
        let server = block_in_place(Server::start);
        let mut config = server.client();
        config.set("linger.ms", "5");
        let producer = config
            .create()
            .map_err(Error::broker("making a producer"))?;
        server.create(LETTERS, 1, &[]).await;
        Ok(Self {
            server,
            producer,
            asking: Mutex::default(),
        })
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("broker_hosts".to_owned(), self.server.hosts())]
    }

    fn raw(&self, topic: &str, name: &str) -> Vec<String> {
        ["kafka", &self.server.hosts(), topic, name]
            .map(str::to_owned)
            .to_vec()
    }

    fn name_of(function: &str, _: &str) -> String {
        wiring::group(NAMESPACE, function)
    }

    async fn fill(&self, topic: &str, events: u64) -> Result<(), Error> {
        self.server.create(topic, PARTITIONS as i32, &[]).await;
        block_in_place(|| {
            (0..events).try_for_each(|number| self.publish(topic, number))?;
            let flushed = self.producer.flush(PATIENCE * 6);
            flushed.map_err(Error::broker("storing events"))
        })
    }

    async fn settled(&self, topic: &str, name: &str) -> Result<u64, Error> {
        Ok(self.committed(topic, name)?.iter().sum())
    }

    async fn latencies(&self, topic: &str, name: &str, pace: Pace) -> Result<Vec<f64>, Error> {
        let times = Times::default();
        let publish = async |number| {
            times.published();
            self.publish(topic, number)
        };
        let watch = async {
            let mut seen = self.committed(topic, name)?;
            loop {
                let committed = self.committed(topic, name)?;
                for (partition, (seen, now)) in seen.iter_mut().zip(committed).enumerate() {
                    for offset in *seen..now {
                        let place = offset as usize * PARTITIONS + partition;
                        times.settled(place.wrapping_sub(pace.first as usize));
                    }
                    *seen = now.max(*seen);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let all_settled = async {
            pace.keep(publish).await?;
            while times.under_way() > 0 {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        tokio::select! {
            failed = watch => return failed,
            kept = tokio::time::timeout(pace.span + PATIENCE, all_settled) => kept.unwrap_or(Ok(()))?,
        }
        Ok(times.taken())
    }
}

impl Kafka {
    /// Hands an event to the producer, waiting for room: event after event to partition after partition.
    fn publish(&self, topic: &str, number: u64) -> Result<(), Error> {
        let (id, key, data) = (number.to_string(), key(number), data());
        let header = |key, value| Header {
            key,
            value: Some(value),
        };
        let headers = OwnedHeaders::new()
            .insert(header("content-type", "application/json"))
            .insert(header("ce_specversion", "1.0"))
            .insert(header("ce_type", "bench"))
            .insert(header("ce_source", "/bench"))
            .insert(header("ce_id", &id));
        let mut record = BaseRecord::to(topic)
            .key(&key)
            .payload(&data)
            .partition((number % PARTITIONS as u64) as i32)
            .headers(headers);
        while let Err((error, back)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(Error::broker("publishing an event")(error));
            }
            record = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What a group has committed of each partition.
    fn committed(&self, topic: &str, group: &str) -> Result<Vec<u64>, Error> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, PARTITIONS as i32 - 1);
        let client = self.asking(group)?;
        match block_in_place(|| client.committed_offsets(list, PATIENCE)) {
            Ok(list) => Ok(list
                .elements()
                .iter()
                .map(|partition| match partition.offset() {
                    Offset::Offset(offset) => offset as u64,
                    _ => 0,
                })
                .collect()),
            // Its first group makes a server ready for groups.
            Err(error) if is_early(&error) => Ok(vec![0; PARTITIONS]),
            Err(error) => Err(Error::broker("asking what is committed")(error)),
        }
    }

    fn asking(&self, group: &str) -> Result<Arc<BaseConsumer>, Error> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = asking.get(group) {
            return Ok(Arc::clone(client));
        }
        let mut config = self.server.client();
        config.set("group.id", group);
        let client = config.create().map_err(Error::broker("making a client"))?;
        let client = Arc::new(client);
        asking.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}
