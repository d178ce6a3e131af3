//! From somebody else's group to ours.

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::broker::Kafka;
use super::check::on_a_thread;
use super::inspect::Asked;

/// What became of the offsets of one group in one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// So many partitions begin now where the other group had got to.
    Partitions(usize),
    /// The other group has committed nothing there.
    Nothing,
    /// Our group has committed there before: it goes on where it is.
    Begun,
}

impl Kafka {
    /// Lets group `to` begin in `topic` where group `from` has got to. Both should have no members meanwhile: what is taken
    /// after this is not known to the other.
    ///
    /// # Errors
    /// The brokers do not answer, or do not take the offsets: the group has members, or this user may not.
    pub async fn copy_offsets(&self, topic: &str, from: &str, to: &str) -> Result<Copied, String> {
        let said = |group: &str, asked: Asked| match asked {
            Asked::Kafka(error) => format!("group `{group}`, topic `{topic}`: {error}"),
            Asked::Thread(reason) => reason,
        };
        let found = self.committed(from, topic).await;
        let found = found.map_err(|asked| said(from, asked))?;
        if found.is_empty() {
            return Ok(Copied::Nothing);
        }
        let ours = self.committed(to, topic).await;
        if !ours.map_err(|asked| said(to, asked))?.is_empty() {
            return Ok(Copied::Begun);
        }
        let count = found.len();
        let mut offsets = TopicPartitionList::with_capacity(count);
        for (partition, offset) in found {
            offsets
                .add_partition_offset(topic, partition, Offset::Offset(offset))
                .map_err(|error| said(to, Asked::Kafka(error)))?;
        }
        let consumer = self.outsider(to).map_err(|asked| said(to, asked))?;
        let stored = on_a_thread(move || {
            let stored = consumer.commit(&offsets, CommitMode::Sync);
            stored.map_err(|error| error.to_string())
        });
        stored.await.map_err(|reason| {
            format!("group `{to}` does not take the offsets of topic `{topic}`: {reason}; stop its members first")
        })?;
        Ok(Copied::Partitions(count))
    }
}
