//! Commits: one at a time, each answered before the next.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::{LOOK_CLOSELY, Member};
use crate::broker::SourceError;
use crate::kafka::context::Context;
use crate::kafka::partition::Commit;

/// A commit that failed is not repeated before.
const AGAIN: Duration = Duration::from_millis(100);

/// Number, offset and metadata of what is to be committed.
pub(super) type Asked = Vec<(i32, u64, String)>;

/// A thread that commits and waits for each answer, as rdkafka tells nobody how a commit ended that was not waited for.
/// Partitions are committed one by one, as it does not tell either which of several failed. It ends with its sender.
pub(super) fn committer(
    consumer: &Arc<BaseConsumer<Context>>,
    topic: &Arc<str>,
) -> io::Result<Sender<Asked>> {
    let (send, asked) = channel::<Asked>();
    let (consumer, topic, member) = (Arc::clone(consumer), Arc::clone(topic), thread::current());
    let commit = move |(number, offset, line): (i32, u64, String)| {
        let result = commit(&consumer, &topic, number, offset, &line);
        let code = result.map_err(|error| error.rdkafka_error_code().unwrap_or(Code::Fail));
        consumer.context().heard().commits.push_back((number, code));
        member.unpark();
    };
    let run = move || asked.into_iter().flatten().for_each(commit);
    let thread = thread::Builder::new().name("kafka-commit".into());
    thread.spawn(run).map(|_| send)
}

fn commit(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    number: i32,
    offset: u64,
    line: &str,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, number);
    element.set_offset(Offset::Offset(offset as i64))?;
    element.set_metadata(line);
    consumer.commit(&list, CommitMode::Sync)
}

impl Member {
    /// Commits what is finished, when it is time or somebody waits.
    pub(super) fn commit(&mut self) {
        let now = Instant::now();
        if self.committing.is_some() || now < self.commit_again {
            return;
        }
        let state = self.shared.lock();
        let due = now >= self.commit_at
            || state
                .partitions
                .values()
                .any(|partition| partition.is_urgent());
        if !due {
            return;
        }
        let commits: Vec<Commit> = state
            .partitions
            .values()
            .filter(|partition| !partition.is_committed())
            .map(|partition| partition.commit())
            .collect();
        drop(state);
        self.begin(commits);
    }

    fn begin(&mut self, commits: Vec<Commit>) {
        if commits.is_empty() {
            return;
        }
        self.commit_at = Instant::now() + self.settings.commit_every;
        let line = |commit: &Commit| commit.metadata.write(commit.offset, self.longest);
        let asked = commits
            .iter()
            .map(|commit| (commit.number, commit.offset, line(commit)));
        // The other end is there as long as this is.
        let _ = self.committer.send(asked.collect());
        self.committing = Some(commits);
    }

    /// Takes note of how commits ended.
    pub(super) fn hear_commits(&mut self) {
        let heard = std::mem::take(&mut self.consumer.context().heard().commits);
        for (number, outcome) in heard {
            let Some(commits) = &mut self.committing else {
                return;
            };
            let Some(at) = commits.iter().position(|commit| commit.number == number) else {
                continue;
            };
            let commit = commits.swap_remove(at);
            if commits.is_empty() {
                self.committing = None;
            }
            match outcome {
                Ok(()) => {
                    if let Some(partition) = self.shared.lock().partitions.get_mut(&number) {
                        partition.stored(&commit);
                    }
                }
                // This broker takes less than others: the most important comes first.
                Err(Code::OffsetMetadataTooLarge) if self.longest > 0 => {
                    self.longest /= 2;
                    self.commit_at = Instant::now();
                }
                Err(code) => self.refused(number, &code.to_string()),
            }
        }
    }

    fn refused(&mut self, number: i32, reason: &str) {
        self.commit_again = Instant::now() + AGAIN;
        let error = SourceError::Unavailable(format!("the commit failed: {reason}"));
        if let Some(partition) = self.shared.lock().partitions.get_mut(&number) {
            partition.refused(&error);
        }
    }

    /// Commits these partitions and waits for it, but no longer than that; whether it was done.
    pub(super) fn commit_all(&mut self, numbers: &[i32], until: Instant) -> bool {
        loop {
            self.serve();
            let state = self.shared.lock();
            let open = numbers
                .iter()
                .filter_map(|number| state.partitions.get(number));
            let commits: Vec<Commit> = open
                .filter(|partition| !partition.is_committed())
                .map(|partition| partition.commit())
                .collect();
            drop(state);
            let now = Instant::now();
            if self.committing.is_none() {
                if commits.is_empty() {
                    return true;
                }
                if now >= self.commit_again {
                    self.begin(commits);
                }
            }
            if now >= until {
                return false;
            }
            thread::park_timeout(LOOK_CLOSELY);
        }
    }
}
