//! What librdkafka tells a member of a group, kept until its thread looks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::bindings::rd_kafka_resp_err_t as Code;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, TopicPartitionList};
use serde::Deserialize;

use crate::broker::PublishError;

/// The callbacks of a member. They run on its own thread, while it polls.
#[derive(Debug, Default)]
pub(super) struct Context {
    heard: Mutex<Heard>,
}

/// What was heard and is not dealt with.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// In their order; librdkafka waits for each to be answered.
    pub(super) rebalances: VecDeque<Rebalance>,
    /// The outcome of a commit of a partition.
    pub(super) commits: VecDeque<(i32, Result<(), Uncommitted>)>,
    /// The latest statistics: partitions of this topic whose end was reached. Everything before this offset was queued.
    pub(super) ends: BTreeMap<i32, u64>,
    /// The last thing that went wrong, in words.
    pub(super) trouble: Option<String>,
    /// The member is leaving: rebalances are answered at once.
    pub(super) leaving: bool,
    /// Callbacks so far.
    pub(super) count: u64,
}

/// Why a commit of a partition was not made.
#[derive(Debug, Clone)]
pub(super) enum Uncommitted {
    /// The broker said so, in code and words.
    Refused(RDKafkaErrorCode, String),
    /// It will never take a reply of these inputs; nothing is wrong with the others.
    Replies(Vec<(u64, PublishError)>),
    /// Nobody knows whether it was.
    InDoubt(String),
}

/// A change of what this member owns.
#[derive(Debug)]
pub(super) enum Rebalance {
    /// These are ours once we say from where.
    Assigned(Vec<i32>),
    /// These go to others once we let them.
    Revoked(TopicPartitionList),
    /// These are with others already.
    Lost(TopicPartitionList),
}

impl Context {
    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        if says_why(&error) {
            self.heard().trouble = Some(reason.to_owned());
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) else {
            return;
        };
        let mut heard = self.heard();
        heard.count += 1;
        for topic in statistics.topics.into_values() {
            for partition in topic.partitions.into_values() {
                if let Ok(end) = u64::try_from(partition.eof_offset) {
                    heard.ends.insert(partition.partition, end);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: Code, list: &mut TopicPartitionList) {
        let mut heard = self.heard();
        heard.count += 1;
        let assigned = code == Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if heard.leaving {
            drop(heard);
            // A member that leaves is assigned nothing any more, whatever it says here.
            let _ = match assigned {
                true => consumer.incremental_assign(list),
                false => consumer.incremental_unassign(list),
            };
            return;
        }
        heard.rebalances.push_back(if assigned {
            Rebalance::Assigned(numbers(list))
        } else if consumer.assignment_lost() {
            Rebalance::Lost(list.clone())
        } else {
            Rebalance::Revoked(list.clone())
        });
    }
}

/// Whether an error is worth telling: the end of a partition is none, and that all brokers are down comes after why.
pub(super) fn says_why(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, PartitionEOF};
    !matches!(
        error.rdkafka_error_code(),
        Some(AllBrokersDown | PartitionEOF)
    )
}

/// The partitions of a list.
pub(super) fn numbers(list: &TopicPartitionList) -> Vec<i32> {
    let elements = list.elements();
    elements.iter().map(|element| element.partition()).collect()
}

/// What of librdkafka's statistics is of interest.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
}

#[derive(Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: BTreeMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    partition: i32,
    eof_offset: i64,
}
