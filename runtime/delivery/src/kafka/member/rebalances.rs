//! What becomes ours, and what goes to others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::{Member, waker};
use crate::broker::{Assignment, SourceEvent};
use crate::kafka::context::{Rebalance, numbers};
use crate::kafka::partition::{Partition, Phase};
use crate::kafka::start::{Beginning, beginnings};

/// A question on the way to an assignment that failed is asked again after this.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A rebalance that librdkafka waits for us to answer.
pub(super) enum Change {
    /// We do not know yet where these begin; asked again then.
    Assigning(Vec<i32>, Instant),
    /// What runs of these is finished, until then at most.
    Revoking(TopicPartitionList, Instant),
}

impl Member {
    pub(super) fn rebalance(&mut self) {
        loop {
            let change = match self.change.take() {
                Some(change) => change,
                None => {
                    let next = self.consumer.context().heard().rebalances.pop_front();
                    if next.is_some() {
                        self.forget_ends();
                    }
                    match next {
                        None => return,
                        Some(Rebalance::Assigned(list)) => Change::Assigning(list, Instant::now()),
                        Some(Rebalance::Revoked(list)) => self.revoke(list),
                        Some(Rebalance::Lost(list)) => {
                            self.lost(&list);
                            continue;
                        }
                    }
                }
            };
            self.change = match change {
                Change::Assigning(list, at) => self.assign(list, at),
                Change::Revoking(list, until) => self.give_away(list, until),
            };
            if self.change.is_some() {
                return;
            }
        }
    }

    fn assign(&mut self, list: Vec<i32>, at: Instant) -> Option<Change> {
        if at > Instant::now() {
            return Some(Change::Assigning(list, at));
        }
        let found = match list.is_empty() || self.consumer.assignment_lost() {
            true => Ok(Vec::new()),
            false => beginnings(&self.consumer, &self.topic, &list, self.start),
        };
        match found {
            Ok(beginnings) => {
                if let Err(error) = self.begin_at(beginnings) {
                    self.lose(format!("partitions cannot be taken over: {error}"));
                }
                self.joined();
                None
            }
            Err(error) => {
                self.consumer.context().heard().trouble = Some(error.to_string());
                Some(Change::Assigning(list, Instant::now() + ASK_AGAIN))
            }
        }
    }

    fn begin_at(&mut self, beginnings: Vec<Beginning>) -> KafkaResult<()> {
        let mut from = TopicPartitionList::with_capacity(beginnings.len());
        for beginning in &beginnings {
            let offset = Offset::Offset(beginning.offset as i64);
            from.add_partition_offset(&self.topic, beginning.partition, offset)?;
            // Before anything can come: else it would come by the common queue, which knows no demand.
            let queue = self
                .consumer
                .split_partition_queue(&self.topic, beginning.partition);
            if let Some(mut queue) = queue {
                queue.set_nonempty_callback(waker());
                self.queues.insert(beginning.partition, queue);
            }
        }
        self.consumer.incremental_assign(&from)?;
        for beginning in beginnings {
            self.own(beginning);
        }
        Ok(())
    }

    fn own(&mut self, beginning: Beginning) {
        let Beginning {
            partition,
            offset,
            metadata,
            fresh,
        } = beginning;
        let record = metadata.record.clone();
        let given = metadata.given.and_then(|given| given.checked_sub(1));
        let assignment = Assignment {
            log: self.log(partition),
            floor: offset,
            delivered: given.filter(|_| record.as_ref().is_some_and(|record| record.open)),
            shuffled: false,
            record,
            created: fresh,
        };
        self.ends.remove(&partition);
        let owned = Partition::new(partition, offset, metadata, fresh.is_some());
        self.shared.lock().partitions.insert(partition, owned);
        self.say(SourceEvent::Assigned(assignment));
    }

    /// Begins to hand over: two thirds of a session are left for what runs, the rest for the commit.
    fn revoke(&mut self, list: TopicPartitionList) -> Change {
        let mut state = self.shared.lock();
        for number in numbers(&list) {
            if let Some(partition) = state.partitions.get_mut(&number) {
                partition.phase = Phase::Revoking;
                let log = crate::kafka::producer::log(&self.topic, number);
                self.say(SourceEvent::Revoking { log });
            }
        }
        drop(state);
        Change::Revoking(list, Instant::now() + self.settings.session_timeout * 2 / 3)
    }

    fn give_away(&mut self, list: TopicPartitionList, until: Instant) -> Option<Change> {
        if self.consumer.assignment_lost() {
            self.lost(&list);
            return None;
        }
        let going = numbers(&list);
        let partitions = Arc::clone(&self.shared);
        let busy = |number: &i32| {
            let state = partitions.lock();
            let partition = state.partitions.get(number);
            partition.is_some_and(|partition| partition.phase == Phase::Revoking)
        };
        if Instant::now() < until && going.iter().any(busy) {
            return Some(Change::Revoking(list, until));
        }
        self.commit_all(&going, until + self.settings.session_timeout / 6);
        for number in &going {
            self.disown(*number);
        }
        self.unassign(&list);
        None
    }

    fn disown(&mut self, number: i32) {
        self.queues.remove(&number);
        self.ends.remove(&number);
        self.astray.remove(&number);
        self.shared.lock().partitions.remove(&number);
    }

    fn lost(&mut self, list: &TopicPartitionList) {
        let ours = numbers(list)
            .iter()
            .any(|number| self.shared.lock().partitions.contains_key(number));
        self.unassign(list);
        if ours {
            let group = &self.group;
            self.lose(format!(
                "group `{group}` has given our partitions to others"
            ));
        }
    }

    fn unassign(&mut self, list: &TopicPartitionList) {
        if let Err(error) = self.consumer.incremental_unassign(list) {
            self.lose(format!("partitions cannot be given away: {error}"));
        }
    }

    /// Answers what is not answered, on the way out.
    pub(super) fn give_up_change(&mut self) {
        self.queues.clear();
        let rebalances = std::mem::take(&mut self.consumer.context().heard().rebalances);
        let change = self.change.take().map(|change| match change {
            Change::Assigning(list, _) => Rebalance::Assigned(list),
            Change::Revoking(list, _) => Rebalance::Revoked(list),
        });
        for rebalance in change.into_iter().chain(rebalances) {
            // It leaves, whatever the answer.
            let _ = match rebalance {
                Rebalance::Assigned(numbers) => {
                    let mut list = TopicPartitionList::new();
                    for number in numbers {
                        list.add_partition(&self.topic, number);
                    }
                    self.consumer.incremental_assign(&list)
                }
                Rebalance::Revoked(list) | Rebalance::Lost(list) => {
                    self.consumer.incremental_unassign(&list)
                }
            };
        }
    }
}
