//! Reads a topic twice: for the markers, and for the letters.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::gone;
use crate::broker::{Message, Position};
use crate::dead_letter::GONE;
use crate::kafka::check::TIMEOUT;
use crate::kafka::producer::log;
use crate::kafka::record::message;
use crate::kafka::settings::Settings;

/// The letters of a topic. It blocks: for threads alone.
pub(super) struct Reader {
    consumer: BaseConsumer,
    topic: Arc<str>,
    partitions: Vec<Partition>,
    /// Letters that are none any more.
    gone: BTreeSet<Position>,
    /// The partition that is read.
    at: usize,
    /// From here on …
    next: u64,
    /// … and what the consumer would give next.
    assigned: Option<(usize, u64)>,
}

#[derive(Debug)]
struct Partition {
    number: i32,
    first: u64,
    /// What came since it was opened lies from here on.
    end: u64,
}

impl Reader {
    /// Finds where everything ends, and every marker before that.
    pub(super) fn open(settings: &Settings, topic: &Arc<str>) -> KafkaResult<Self> {
        let consumer: BaseConsumer = settings.reader().create()?;
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
        let found = metadata
            .topics()
            .iter()
            .flat_map(|topic| topic.partitions());
        let mut numbers: Vec<i32> = found.map(|partition| partition.id()).collect();
        numbers.sort_unstable();
        let mut partitions = Vec::with_capacity(numbers.len());
        for number in numbers {
            let (low, high) = consumer.fetch_watermarks(topic, number, TIMEOUT)?;
            partitions.push(Partition {
                number,
                first: low.max(0) as u64,
                end: high.max(0) as u64,
            });
        }
        let mut reader = Self {
            consumer,
            topic: Arc::clone(topic),
            partitions,
            gone: BTreeSet::new(),
            at: 0,
            next: 0,
            assigned: None,
        };
        reader.begin(0);
        while let Some(record) = reader.record()? {
            reader.gone.extend(gone(&record));
        }
        reader.begin(0);
        Ok(reader)
    }

    /// The next letter.
    pub(super) fn next(&mut self) -> Result<Option<Message>, String> {
        loop {
            let record = self.record().map_err(|error| error.to_string())?;
            match record {
                Some(record) if record.header(GONE).is_some() => {}
                Some(record) if self.gone.contains(&record.position) => {}
                other => return Ok(other),
            }
        }
    }

    /// The letter at this place.
    pub(super) fn at(&mut self, place: &str, offset: u64) -> Result<Option<Message>, String> {
        let of = |partition: &Partition| *log(&self.topic, partition.number) == *place;
        let Some(index) = self.partitions.iter().position(of) else {
            return Ok(None);
        };
        let Partition { first, end, .. } = self.partitions[index];
        if !(first..end).contains(&offset) {
            return Ok(None);
        }
        (self.at, self.next) = (index, offset);
        let found = self.next()?;
        let is_it =
            |letter: &Message| letter.position.offset == offset && *letter.position.log == *place;
        Ok(found.filter(is_it))
    }

    /// Puts the reader to the beginning of a partition.
    fn begin(&mut self, index: usize) {
        self.at = index;
        self.next = self
            .partitions
            .get(index)
            .map_or(0, |partition| partition.first);
    }

    /// The next record of any kind.
    fn record(&mut self) -> KafkaResult<Option<Message>> {
        while let Some(&Partition { number, end, .. }) = self.partitions.get(self.at) {
            if self.next >= end {
                self.begin(self.at + 1);
                continue;
            }
            if self.assigned != Some((self.at, self.next)) {
                let mut list = TopicPartitionList::new();
                let offset = Offset::Offset(self.next as i64);
                list.add_partition_offset(&self.topic, number, offset)?;
                self.consumer.assign(&list)?;
            }
            self.assigned = None;
            match self.consumer.poll(TIMEOUT) {
                Some(Ok(record)) if record.partition() == number => {
                    let record = message(&record);
                    self.next = record.position.offset + 1;
                    self.assigned = Some((self.at, self.next));
                    if record.position.offset < end {
                        return Ok(Some(record));
                    }
                }
                // The end may be the marker of a transaction, which is no record.
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == number => {
                    self.begin(self.at + 1);
                }
                // Of what was assigned before.
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => {
                    self.assigned = Some((self.at, self.next));
                }
                Some(Err(error)) => return Err(error),
                None => return Err(KafkaError::NoMessageReceived),
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("topic", &self.topic)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}
