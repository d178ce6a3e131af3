//! What comes out of the partitions, as far as there is demand.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::Member;
use crate::broker::{Message, SourceEvent};
use crate::kafka::record::message;

/// What one partition may give before the next has its turn.
const TURN: usize = 64;

/// How long a question for the ends of a log may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A record as it came, with the number of its partition.
pub(super) struct Came(i32, Message);

/// How a turn ended.
#[derive(PartialEq, Eq)]
enum Turn {
    /// There may be more.
    More,
    /// Everything that was queued has come.
    Empty,
    /// No more is wanted.
    Full,
}

/// What is known of the end of a partition. librdkafka says that one was reached, and not where; where is in its
/// statistics, which do not say whether everything before it has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was reached.
    Seen,
    /// … and nothing was queued afterwards, ever since.
    Drained,
    /// … and then statistics said that it is here.
    At(u64),
    /// … and the next ones said it again: nothing is left before it.
    Sure(u64),
}

impl Member {
    /// Gives out what there is and may come.
    pub(super) fn give(&mut self) {
        if self.over {
            return;
        }
        for number in std::mem::take(&mut self.astray) {
            self.put_right(number);
        }
        self.hear_ends();
        let mut numbers: Vec<i32> = self.queues.keys().copied().collect();
        while !numbers.is_empty() {
            numbers.retain(|number| match self.turn(*number) {
                Turn::More => true,
                Turn::Full => false,
                Turn::Empty => {
                    self.empty(*number);
                    false
                }
            });
        }
    }

    /// A rebalance empties the queues of all partitions, those that stay among them, and what was in them is fetched again:
    /// an end that was seen before says nothing any more.
    pub(super) fn forget_ends(&mut self) {
        self.ends.clear();
    }

    fn hear_ends(&mut self) {
        let mut heard = self.consumer.context().heard();
        let said = std::mem::take(&mut heard.ends);
        let changes = !heard.rebalances.is_empty();
        drop(heard);
        if changes || self.change.is_some() {
            self.forget_ends();
        }
        for (number, end) in said {
            let Some(known) = self.ends.get_mut(&number) else {
                continue;
            };
            *known = match *known {
                End::Seen => End::Seen,
                End::Drained => End::At(end),
                End::At(before) if before == end => End::Sure(end),
                End::At(_) | End::Sure(_) => End::At(end),
            };
        }
    }

    /// Nothing is queued.
    fn empty(&mut self, number: i32) {
        let Some(known) = self.ends.get_mut(&number) else {
            return;
        };
        match *known {
            End::Seen => *known = End::Drained,
            End::Drained | End::At(_) => {}
            End::Sure(end) => {
                *known = End::Drained;
                if let Some(partition) = self.shared.lock().partitions.get_mut(&number) {
                    partition.reached(end);
                }
            }
        }
    }

    /// Something came, or may be queued unseen.
    fn not_empty(&mut self, number: i32) {
        if let Some(known) = self.ends.get_mut(&number) {
            *known = End::Seen;
        }
    }

    fn turn(&mut self, number: i32) -> Turn {
        for _ in 0..TURN {
            if !self.is_wanted(number) {
                self.not_empty(number);
                return Turn::Full;
            }
            let Some(queue) = self.queues.get(&number) else {
                return Turn::Full;
            };
            match queue.poll(Duration::ZERO) {
                None => return Turn::Empty,
                Some(Ok(message)) => {
                    let came = message.into();
                    self.not_empty(number);
                    self.offer(came);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.ends.entry(number).or_insert(End::Seen);
                }
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => self.put_right(number),
                    _ => {
                        self.failed(&error);
                        if self.over {
                            return Turn::Full;
                        }
                    }
                },
            }
        }
        Turn::More
    }

    fn is_wanted(&self, number: i32) -> bool {
        let state = self.shared.lock();
        let (demand, given) = (&state.demand, &state.given);
        given.messages < demand.up_to.messages
            && (given.bytes < demand.up_to.bytes || demand.any_size_after == Some(given.messages))
            && state
                .partitions
                .get(&number)
                .is_some_and(|partition| partition.may_give())
    }

    /// Gives out a record, unless it was finished or given before.
    pub(super) fn offer(&mut self, Came(number, message): Came) {
        let mut state = self.shared.lock();
        let Some(partition) = state.partitions.get_mut(&number) else {
            return;
        };
        if partition.came(message.position.offset) {
            state.given.add(message.size());
            drop(state);
            self.say(SourceEvent::Message(message));
        }
    }

    /// Its next offset is not in the log: it goes on with the oldest that is left.
    fn put_right(&mut self, number: i32) {
        // While librdkafka waits for an answer, an assignment would be taken for one.
        let busy = self.change.is_some() || !self.consumer.context().heard().rebalances.is_empty();
        let ends = match busy {
            true => None,
            false => self
                .consumer
                .fetch_watermarks(&self.topic, number, TIMEOUT)
                .ok(),
        };
        let Some((low, high)) = ends else {
            self.astray.insert(number);
            return;
        };
        let (low, high) = (low.max(0) as u64, high.max(0) as u64);
        let log = self.log(number);
        let mut state = self.shared.lock();
        let Some(partition) = state.partitions.get_mut(&number) else {
            return;
        };
        let next = partition.progress.next();
        let count = match low > next {
            true => low - next,
            false => next.saturating_sub(high),
        };
        if low > next {
            partition.reached(low);
        } else if partition.progress.unfinished() == 0 {
            partition.restart(low);
        } else {
            drop(state);
            return self.lose(format!("`{log}` was made anew, or cut"));
        }
        drop(state);
        self.ends.remove(&number);
        self.say(SourceEvent::Gap { log, count });
        if let Err(error) = self.begin_again(number, low) {
            self.lose(format!("partition {number} cannot be begun again: {error}"));
        }
    }

    /// A partition that stopped at an error is not sought in: it is given back and taken anew.
    fn begin_again(&self, number: i32, offset: u64) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, number, Offset::Offset(offset as i64))?;
        self.consumer.incremental_unassign(&list)?;
        self.consumer.incremental_assign(&list)
    }
}

impl From<BorrowedMessage<'_>> for Came {
    fn from(record: BorrowedMessage<'_>) -> Self {
        Self(record.partition(), message(&record))
    }
}
