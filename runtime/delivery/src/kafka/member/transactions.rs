//! Commits that store replies too: all of it in one transaction, or nothing.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::oneshot;

use super::commits::{Asked, Part, offsets};
use crate::broker::{OpenError, Publication, PublishError};
use crate::clock::{Random, Seeded};
use crate::kafka::check::TIMEOUT;
use crate::kafka::context::{Context, Uncommitted};
use crate::kafka::producer::{Report, Reports, refused};
use crate::kafka::record::record;
use crate::kafka::settings::Settings;
use crate::kafka::transaction::{self, insist, is_in_doubt};

/// A queue that is full has room again after this.
const FULL: Duration = Duration::from_millis(5);

/// The thread that commits.
struct Committer {
    producer: ThreadedProducer<Reports>,
    topic: Arc<str>,
    /// Replies are sent one by one: a batch is refused as too large for all that are in it.
    one_by_one: bool,
    /// What was refused has left a gap in the producer's sequence numbers: the next transaction ends at it, and closes it.
    gap: bool,
}

/// A reply that was sent: its input, itself, and who is told what became of it.
struct Sent<'a> {
    number: i32,
    offset: u64,
    reply: &'a Publication,
    told: oneshot::Receiver<Report>,
}

/// A producer that nobody shares: one that comes back is fenced by the generation of its group, not by its id.
pub(super) fn producer(
    settings: &Settings,
    group: &str,
) -> Result<ThreadedProducer<Reports>, OpenError> {
    let id = format!("{group}.{:016x}", Seeded::unpredictable().next());
    transaction::open(settings, &id)
}

/// As [`super::commits::committer`], by transactions.
pub(super) fn committer(
    consumer: &Arc<BaseConsumer<Context>>,
    topic: &Arc<str>,
    producer: ThreadedProducer<Reports>,
) -> io::Result<Sender<Asked>> {
    let (send, asked) = channel::<Asked>();
    let (consumer, member) = (Arc::clone(consumer), thread::current());
    let mut committer = Committer {
        producer,
        topic: Arc::clone(topic),
        one_by_one: false,
        gap: false,
    };
    let run = move || {
        for asked in asked {
            let outcome = committer.commit(&asked);
            let mut heard = consumer.context().heard();
            for part in &asked.parts {
                let outcome = outcome.clone().map_err(|why| why.of(part.number));
                heard.commits.push_back((part.number, outcome));
            }
            drop(heard);
            member.unpark();
        }
    };
    let thread = thread::Builder::new().name("kafka-commit".into());
    thread.spawn(run).map(|_| send)
}

/// Why nothing of a transaction was stored.
#[derive(Debug, Clone)]
enum Failure {
    /// Of all partitions.
    All(Uncommitted),
    /// The broker will never take these: number and offset of the input, and why.
    Replies(Vec<(i32, u64, PublishError)>),
}

impl Failure {
    fn of(self, number: i32) -> Uncommitted {
        match self {
            Self::All(why) => why,
            Self::Replies(inputs) => {
                let ours = inputs.into_iter().filter(|(other, ..)| *other == number);
                Uncommitted::Replies(ours.map(|(_, offset, error)| (offset, error)).collect())
            }
        }
    }
}

impl Committer {
    fn commit(&mut self, asked: &Asked) -> Result<(), Failure> {
        let outcome = self.past_a_gap(asked, self.one_by_one);
        if self.one_by_one || !matches!(outcome, Err(Failure::Replies(_))) {
            return outcome;
        }
        let again = self.past_a_gap(asked, true);
        // Where it was only the batch, the next one would be no smaller.
        self.one_by_one = again.is_ok();
        again
    }

    fn past_a_gap(&mut self, asked: &Asked, one_by_one: bool) -> Result<(), Failure> {
        let outcome = match self.store(asked, one_by_one) {
            Err(Failure::All(Uncommitted::Refused(..))) if self.gap => {
                self.store(asked, one_by_one)
            }
            other => other,
        };
        self.gap = matches!(outcome, Err(Failure::Replies(_)));
        outcome
    }

    fn store(&self, asked: &Asked, one_by_one: bool) -> Result<(), Failure> {
        let producer = &self.producer;
        if let Err(error) = producer.begin_transaction() {
            return Err(Failure::All(Uncommitted::InDoubt(self.explain(&error))));
        }
        let mut sent = Vec::new();
        let prepared = self
            .send(&asked.parts, one_by_one, &mut sent)
            .and_then(|()| self.send_offsets(asked));
        let (error, in_doubt) = match prepared.map(|()| transaction::commit(producer)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => (error.clone(), is_in_doubt(&error)),
            Err(error) => (error, false),
        };
        let reason = self.explain(&error);
        if in_doubt || insist(|| producer.abort_transaction(TIMEOUT)).is_err() {
            return Err(Failure::All(Uncommitted::InDoubt(reason)));
        }
        let refused: Vec<_> = sent.into_iter().filter_map(Sent::refused).collect();
        if !refused.is_empty() {
            return Err(Failure::Replies(refused));
        }
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        Err(Failure::All(Uncommitted::Refused(code, reason)))
    }

    fn send<'a>(
        &self,
        parts: &'a [Part],
        one_by_one: bool,
        sent: &mut Vec<Sent<'a>>,
    ) -> Result<(), KafkaError> {
        for part in parts {
            for (offset, replies) in &part.finishing {
                for reply in replies.iter() {
                    let told = self.send_one(reply)?;
                    sent.push(Sent {
                        number: part.number,
                        offset: *offset,
                        reply,
                        told,
                    });
                    if one_by_one {
                        self.producer.flush(TIMEOUT)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn send_one(&self, reply: &Publication) -> Result<oneshot::Receiver<Report>, KafkaError> {
        let (tell, told) = oneshot::channel();
        let until = Instant::now() + TIMEOUT;
        let mut waiting = record(reply, Box::new(tell));
        loop {
            match self.producer.send(waiting) {
                Ok(()) => return Ok(told),
                Err((error, back)) => {
                    let full = error.rdkafka_error_code() == Some(Code::QueueFull);
                    if !full || Instant::now() > until {
                        return Err(error);
                    }
                    waiting = back;
                    thread::sleep(FULL);
                }
            }
        }
    }

    fn send_offsets(&self, asked: &Asked) -> Result<(), KafkaError> {
        let offsets = offsets(&self.topic, &asked.parts)?;
        let Some(group) = &asked.group else {
            return Err(KafkaError::Canceled);
        };
        insist(|| {
            self.producer
                .send_offsets_to_transaction(&offsets, group, TIMEOUT)
        })
    }

    fn explain(&self, error: &KafkaError) -> String {
        self.producer.context().explain(error)
    }
}

impl Sent<'_> {
    /// What the broker will not take at any time. Whoever was sent to has been told by the end of a transaction.
    fn refused(self) -> Option<(i32, u64, PublishError)> {
        let error = self.told.blocking_recv().ok()?.err()?;
        let error = refused(&self.reply.topic, &error)?;
        Some((self.number, self.offset, error))
    }
}
