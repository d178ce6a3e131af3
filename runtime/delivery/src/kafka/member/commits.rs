//! Commits: one at a time, each answered before the next.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::{LOOK_CLOSELY, Member};
use crate::broker::SourceError;
use crate::kafka::context::{Context, Uncommitted};
use crate::kafka::partition::{Commit, Partition, Replies};

/// A commit that failed is not repeated before.
const AGAIN: Duration = Duration::from_millis(100);

/// So much that is finished does not wait for the time of a commit, or a crash would repeat more the faster it goes.
const MANY: u64 = 500;

/// No commit finishes more inputs with their replies.
const AT_ONCE: usize = 500;

/// What is to be committed.
pub(super) struct Asked {
    pub(super) parts: Vec<Part>,
    /// As whom, where it is a transaction.
    pub(super) group: Option<ConsumerGroupMetadata>,
}

/// … and of one partition.
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) offset: u64,
    pub(super) line: String,
    pub(super) finishing: Vec<(u64, Replies)>,
}

/// A thread that commits and waits for each answer, as rdkafka tells nobody how a commit ended that was not waited for.
/// Partitions are committed one by one, as it does not tell either which of several failed. It ends with its sender.
pub(super) fn committer(
    consumer: &Arc<BaseConsumer<Context>>,
    topic: &Arc<str>,
) -> io::Result<Sender<Asked>> {
    let (send, asked) = channel::<Asked>();
    let (consumer, topic, member) = (Arc::clone(consumer), Arc::clone(topic), thread::current());
    let commit = move |part: Part| {
        let result = commit(&consumer, &topic, &part).map_err(|error| {
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            Uncommitted::Refused(code, code.to_string())
        });
        let mut heard = consumer.context().heard();
        heard.commits.push_back((part.number, result));
        drop(heard);
        member.unpark();
    };
    let run = move || {
        let parts = asked.into_iter().flat_map(|asked| asked.parts);
        parts.for_each(commit);
    };
    let thread = thread::Builder::new().name("kafka-commit".into());
    thread.spawn(run).map(|_| send)
}

fn commit(consumer: &BaseConsumer<Context>, topic: &str, part: &Part) -> KafkaResult<()> {
    consumer.commit(&offsets(topic, [part])?, CommitMode::Sync)
}

/// What the group is told.
pub(super) fn offsets<'a>(
    topic: &str,
    parts: impl IntoIterator<Item = &'a Part>,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for part in parts {
        let mut element = list.add_partition(topic, part.number);
        element.set_offset(Offset::Offset(part.offset as i64))?;
        element.set_metadata(&part.line);
    }
    Ok(list)
}

impl Member {
    /// Commits what is finished, when it is time or somebody waits.
    pub(super) fn commit(&mut self) {
        let now = Instant::now();
        if self.committing.is_some() || now < self.commit_again {
            return;
        }
        let state = self.shared.lock();
        let all = || state.partitions.values();
        let due = now >= self.commit_at
            || all().any(Partition::is_urgent)
            || all().map(Partition::uncommitted).sum::<u64>() >= MANY;
        if !due {
            return;
        }
        let commits = self.commits(state.partitions.values());
        drop(state);
        self.begin(commits);
    }

    /// What is not committed of these partitions.
    fn commits<'a>(&self, partitions: impl Iterator<Item = &'a Partition>) -> Vec<Commit> {
        let open: Vec<&Partition> = partitions
            .filter(|partition| !partition.is_committed())
            .collect();
        let sharing = open.iter().filter(|partition| partition.is_finishing());
        let at_once = (AT_ONCE / sharing.count().max(1)).max(1);
        let commit = |partition: &&Partition| partition.commit(at_once, self.longest);
        open.iter().filter_map(commit).collect()
    }

    fn begin(&mut self, commits: Vec<Commit>) {
        if commits.is_empty() {
            return;
        }
        let group = match self.transactions {
            true => self.consumer.group_metadata(),
            false => None,
        };
        // Who is no member any more has no generation to be fenced by. Asked after it was read: what was lost before is seen.
        if self.transactions && self.consumer.assignment_lost() {
            return;
        }
        self.commit_at = Instant::now() + self.settings.commit_every;
        self.asked = self.longest;
        let part = |commit: &Commit| Part {
            number: commit.number,
            offset: commit.offset,
            line: commit.metadata.write(commit.offset, self.longest),
            finishing: commit.finishing.clone(),
        };
        let parts = commits.iter().map(part).collect();
        // The other end is there as long as this is.
        let _ = self.committer.send(Asked { parts, group });
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
                Err(Uncommitted::Refused(Code::OffsetMetadataTooLarge, _)) if self.longest > 0 => {
                    self.longest = self.asked / 2;
                    self.commit_at = Instant::now();
                }
                // A rebalance came between: the same goes out again, unless it is lost by then.
                Err(Uncommitted::Refused(
                    Code::IllegalGeneration | Code::RebalanceInProgress,
                    _,
                )) if self.transactions => self.commit_again = Instant::now() + AGAIN,
                // The group has given all of it to others. Whoever is let in again could commit what they have.
                Err(Uncommitted::Refused(Code::UnknownMemberId, reason)) if self.transactions => {
                    self.lose(format!("the group knows this member no more: {reason}"));
                }
                Err(Uncommitted::Refused(_, reason)) => self.refused(&commit, &reason),
                Err(Uncommitted::Replies(inputs)) => {
                    if let Some(partition) = self.shared.lock().partitions.get_mut(&number) {
                        partition.refused_replies(&commit, inputs);
                    }
                }
                // The group says what was committed, to whoever asks it anew.
                Err(Uncommitted::InDoubt(reason)) => {
                    self.lose(format!(
                        "nobody knows what became of a transaction: {reason}"
                    ));
                }
            }
        }
    }

    fn refused(&mut self, commit: &Commit, reason: &str) {
        self.commit_again = Instant::now() + AGAIN;
        let error = SourceError::Unavailable(format!("the commit failed: {reason}"));
        if let Some(partition) = self.shared.lock().partitions.get_mut(&commit.number) {
            partition.refused(commit, &error);
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
            let commits = self.commits(open);
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
