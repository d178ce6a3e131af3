//! Where a partition begins.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::metadata::Metadata;
use crate::wiring::Start;

/// Each question to the broker, on the way to a beginning.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The beginning of a partition.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) partition: i32,
    pub(super) offset: u64,
    pub(super) metadata: Metadata,
    /// The group has no commit for it; so many messages wait for it.
    pub(super) fresh: Option<u64>,
}

/// Where these partitions begin: where the group committed; else, for a group that is new to this topic, where `start`
/// says; else with the oldest, for then they were added since.
pub(super) fn beginnings(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: &[i32],
    start: Start,
) -> KafkaResult<Vec<Beginning>> {
    let mut all = TopicPartitionList::new();
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        all.add_partition(topic, partition.id());
    }
    for partition in partitions {
        if all.find_partition(topic, *partition).is_none() {
            all.add_partition(topic, *partition);
        }
    }
    let committed = consumer.committed_offsets(all, TIMEOUT)?;
    let committed = committed.elements();
    let is_known = |offset| matches!(offset, Offset::Offset(0..));
    let start = match committed.iter().any(|found| is_known(found.offset())) {
        true => Start::Oldest,
        false => start,
    };
    let mut beginnings = Vec::with_capacity(partitions.len());
    for found in committed {
        if !partitions.contains(&found.partition()) {
            continue;
        }
        found.error()?;
        let partition = found.partition();
        beginnings.push(match found.offset() {
            Offset::Offset(offset @ 0..) => Beginning {
                partition,
                offset: offset as u64,
                metadata: Metadata::read(offset as u64, found.metadata()),
                fresh: None,
            },
            _ => fresh(consumer, topic, partition, start)?,
        });
    }
    Ok(beginnings)
}

fn fresh(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    start: Start,
) -> KafkaResult<Beginning> {
    let (low, high) = consumer.fetch_watermarks(topic, partition, TIMEOUT)?;
    let offset = match start {
        Start::Oldest => low,
        Start::New => high,
        Start::At(time) => stored_at(consumer, topic, partition, time)?.unwrap_or(high),
    };
    Ok(Beginning {
        partition,
        offset: offset.max(0) as u64,
        metadata: Metadata::default(),
        fresh: Some((high - offset).max(0) as u64),
    })
}

/// The first message of this time or later.
fn stored_at(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    time: SystemTime,
) -> KafkaResult<Option<i64>> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut asked = TopicPartitionList::new();
    let millis = Offset::Offset(since.as_millis() as i64);
    asked.add_partition_offset(topic, partition, millis)?;
    let found = consumer.offsets_for_times(asked, TIMEOUT)?;
    let elements = found.elements();
    Ok(elements.first().and_then(|found| match found.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }))
}
