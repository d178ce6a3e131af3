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
use crate::kafka::transaction::{self, Allowed, insist, is_in_doubt};

/// A queue that is full has room again after this.
const FULL: Duration = Duration::from_millis(5);

/// What the thread that commits has.
pub(super) struct Committer {
    settings: Arc<Settings>,
    group: String,
    id: String,
    /// Sends in batches.
    many: Way,
    /// Sends one by one, made when it is first needed: a batch is refused as too large for all that are in it.
    alone: Option<Way>,
    /// Not even what is small is sent in batches: some topic takes them small only.
    one_by_one: bool,
}

/// A producer of its own id.
struct Way {
    producer: ThreadedProducer<Reports>,
    /// What was refused has left a gap in its sequence numbers: the next transaction ends at it, and closes it.
    gap: bool,
}

/// A reply that was sent: its input, itself, and who is told what became of it.
struct Sent<'a> {
    number: i32,
    offset: u64,
    reply: &'a Publication,
    told: oneshot::Receiver<Report>,
}

/// As [`super::commits::committer`], by transactions.
pub(super) fn spawn(
    mut committer: Committer,
    consumer: &Arc<BaseConsumer<Context>>,
    topic: &Arc<str>,
) -> io::Result<Sender<Asked>> {
    let (send, asked) = channel::<Asked>();
    let (consumer, topic, member) = (Arc::clone(consumer), Arc::clone(topic), thread::current());
    let run = move || {
        for asked in asked {
            let outcome = committer.commit(&topic, &asked);
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
    fn all(code: Code, reason: String) -> Self {
        Self::All(Uncommitted::Refused(code, reason))
    }

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
    /// For a member of this group, under ids that nobody else has: who comes back late is fenced by the group's generation.
    pub(super) fn open(settings: &Arc<Settings>, group: &str) -> Result<Self, OpenError> {
        let id = format!("{group}.{:016x}", Seeded::unpredictable().next());
        Ok(Self {
            many: Way::new(transaction::open(settings, &id, &Allowed::All(group))?),
            settings: Arc::clone(settings),
            group: group.to_owned(),
            id,
            alone: None,
            one_by_one: false,
        })
    }

    fn commit(&mut self, topic: &str, asked: &Asked) -> Result<(), Failure> {
        if !self.one_by_one {
            match self.many.commit(topic, asked) {
                Err(Failure::Replies(_)) => {}
                other => return other,
            }
        }
        let outcome = self.alone()?.commit(topic, asked);
        // Where it was only the batch, the next one would be no smaller.
        self.one_by_one |= outcome.is_ok();
        outcome
    }

    fn alone(&mut self) -> Result<&mut Way, Failure> {
        let way = match self.alone.take() {
            Some(way) => way,
            None => {
                let id = format!("{}.alone", self.id);
                let allowed = Allowed::All(&self.group);
                let producer = transaction::open_one_by_one(&self.settings, &id, &allowed);
                Way::new(producer.map_err(|error| Failure::all(Code::Fail, error.to_string()))?)
            }
        };
        Ok(self.alone.insert(way))
    }
}

impl Way {
    fn new(producer: ThreadedProducer<Reports>) -> Self {
        Self {
            producer,
            gap: false,
        }
    }

    fn commit(&mut self, topic: &str, asked: &Asked) -> Result<(), Failure> {
        let outcome = match self.store(topic, asked) {
            Err(Failure::All(Uncommitted::Refused(..))) if self.gap => self.store(topic, asked),
            other => other,
        };
        self.gap = matches!(outcome, Err(Failure::Replies(_)));
        outcome
    }

    fn store(&self, topic: &str, asked: &Asked) -> Result<(), Failure> {
        let producer = &self.producer;
        if let Err(error) = producer.begin_transaction() {
            return Err(Failure::All(Uncommitted::InDoubt(self.explain(&error))));
        }
        let mut sent = Vec::new();
        let prepared = self
            .send(&asked.parts, &mut sent)
            .and_then(|()| self.send_offsets(topic, asked));
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
        Err(Failure::all(code, reason))
    }

    fn send<'a>(&self, parts: &'a [Part], sent: &mut Vec<Sent<'a>>) -> Result<(), KafkaError> {
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

    fn send_offsets(&self, topic: &str, asked: &Asked) -> Result<(), KafkaError> {
        let offsets = offsets(topic, &asked.parts)?;
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
