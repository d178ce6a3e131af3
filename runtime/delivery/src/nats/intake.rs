//! What comes in: pulls go out, messages and statuses come back, and silence means something too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::jetstream;
use async_nats::{StatusCode, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::acks::Acks;
use super::codec;
use super::config::Times;
use super::connection::{Connection, Health, Live};
use super::consumer::Durable;
use super::pull::{Pull, Pulls, Said};
use super::stream;
use crate::broker::{Demand, Position, SourceEvent};

/// What is demanded of an intake.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pulls: Mutex<Pulls>,
    changed: Notify,
}

/// The receiving end of one durable.
#[derive(Debug)]
pub(super) struct Intake {
    connection: Connection,
    /// The client that the subscriber is of.
    live: Arc<Live>,
    durable: Durable,
    times: Times,
    log: Arc<str>,
    /// Of the last message.
    topic: Arc<str>,
    flow: Arc<Flow>,
    /// Messages, and the statuses of pulls: each pull has a subject below this one.
    inbox: String,
    subscriber: Subscriber,
    health: watch::Receiver<Health>,
    /// How often the connection was cut before this began.
    cuts: u64,
    created: SystemTime,
    sequence: Option<Sequence>,
    /// What came with something that had to be told before it.
    next: Option<SourceEvent>,
    heard: Instant,
    inspect: Instant,
}

/// How things were when the subscription was opened.
#[derive(Debug)]
pub(super) struct Begin {
    /// How often the connection had been cut.
    pub(super) cuts: u64,
    /// When the consumer was made: one made anew is another one.
    pub(super) created: SystemTime,
    /// Of an ordered durable.
    pub(super) sequence: Option<Sequence>,
}

/// Where an only owner stands: nobody else moves these numbers.
#[derive(Debug)]
pub(super) struct Sequence {
    /// The last delivery that came.
    pub(super) delivery: u64,
    /// The last new message that came.
    pub(super) message: u64,
    /// The durable takes all there is in the stream, so that what is missing was removed.
    pub(super) whole: bool,
}

impl Flow {
    pub(super) fn demand(&self, demand: Demand) {
        self.lock().demand(demand);
        self.changed.notify_one();
    }

    /// A message came in another way than by a pull.
    pub(super) fn gave(&self, size: usize) {
        self.lock().came(size, 0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pulls> {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intake {
    pub(super) async fn open(
        connection: &Connection,
        durable: &Durable,
        flow: Arc<Flow>,
        begin: Begin,
    ) -> Result<Self, async_nats::SubscribeError> {
        let Begin {
            cuts,
            created,
            sequence,
        } = begin;
        let mut health = connection.health();
        // A cut since they were counted is one too.
        health.mark_changed();
        let live = connection.live().await;
        let inbox = live.client.new_inbox();
        let subscriber = live.client.subscribe(format!("{inbox}.*")).await?;
        let times = durable.times;
        Ok(Self {
            connection: connection.clone(),
            live,
            durable: durable.clone(),
            times,
            log: durable.stream.as_str().into(),
            topic: "".into(),
            flow,
            inbox,
            subscriber,
            health,
            cuts,
            created,
            sequence,
            next: None,
            heard: Instant::now(),
            inspect: Instant::now() + times.inspect(),
        })
    }

    /// What comes next. A dropped call loses nothing.
    pub(super) async fn next(&mut self, acks: &Acks, lasts: impl Fn() -> Duration) -> SourceEvent {
        if let Some(event) = self.next.take() {
            return event;
        }
        loop {
            if let Err(reason) = self.pull(lasts()).await {
                return SourceEvent::Interrupted(reason);
            }
            let look_again = match self.flow.lock().is_out() {
                true => self.heard + self.times.silence(),
                false => Instant::now() + self.times.look(),
            };
            tokio::select! {
                biased;
                Ok(()) = self.health.changed() => {
                    if self.health.borrow_and_update().cuts > self.cuts {
                        return SourceEvent::Interrupted(self.cut().into());
                    }
                }
                message = self.subscriber.next() => match message {
                    // Nobody else ends it while this is read.
                    None => {
                        self.live.end();
                        return SourceEvent::Interrupted(self.cut().into());
                    }
                    Some(message) => {
                        self.heard = Instant::now();
                        if let Some(event) = self.heard(message, acks) {
                            return event;
                        }
                    }
                },
                () = self.flow.changed.notified() => {}
                () = sleep_until(self.inspect) => {
                    if let Some(reason) = self.inspect().await {
                        return SourceEvent::Interrupted(reason);
                    }
                }
                () = sleep_until(look_again) => {
                    if self.flow.lock().is_out() {
                        return SourceEvent::Interrupted("no heartbeat of the server came".into());
                    }
                }
            }
        }
    }

    /// Why nothing comes over the connection any more.
    fn cut(&self) -> &'static str {
        match self.live.has_ended() {
            true => "the client of NATS has ended, and another one takes its place",
            false => "the connection was cut",
        }
    }

    /// Ends what is pulled; what is on its way is held until it is given back.
    pub(super) async fn close(&mut self, acks: &Acks) {
        if !self.live.is_up() || self.subscriber.drain().await.is_err() {
            return;
        }
        while let Some(message) = self.subscriber.next().await {
            if message.status.is_none() {
                self.take(message, acks);
            }
        }
    }

    /// Asks for more, where there is room and time for it.
    async fn pull(&mut self, lasts: Duration) -> Result<(), String> {
        let expires = lasts.min(self.times.pull());
        let heartbeat = self.times.heartbeat();
        if expires < heartbeat * 2 {
            return Ok(());
        }
        let Some(pull) = self.flow.lock().next() else {
            return Ok(());
        };
        let Pull {
            number,
            messages,
            bytes,
        } = pull;
        let request = json!({
            "batch": messages,
            "max_bytes": bytes.unwrap_or(0),
            "expires": expires.as_nanos() as u64,
            "idle_heartbeat": heartbeat.as_nanos() as u64,
        });
        self.heard = Instant::now();
        let (stream, name) = (&self.durable.stream, self.durable.name());
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
        let answers = format!("{}.{number}", self.inbox);
        let sent =
            self.live
                .client
                .publish_with_reply(subject, answers, request.to_string().into());
        sent.await.map_err(|error| error.to_string())
    }

    fn heard(&mut self, message: async_nats::Message, acks: &Acks) -> Option<SourceEvent> {
        let Some(status) = message.status else {
            return self.take(message, acks);
        };
        let description = message.description.unwrap_or_default();
        let number = message.subject.rsplit('.').next()?.parse().ok()?;
        match self.flow.lock().said(number, status, &description) {
            Said::Alive | Said::Ended => None,
            Said::Broken if status == StatusCode::NO_RESPONDERS => {
                Some(SourceEvent::Interrupted("the consumer is gone".into()))
            }
            Said::Broken => Some(SourceEvent::Interrupted(description)),
        }
    }

    /// Takes a message in, and sees whether one before it is missing.
    fn take(&mut self, message: async_nats::Message, acks: &Acks) -> Option<SourceEvent> {
        let message = jetstream::Message {
            message,
            context: self.live.jetstream.clone(),
        };
        let info = message.info().ok()?;
        let (offset, delivery) = (info.stream_sequence, info.consumer_sequence);
        let time = SystemTime::from(info.published);
        let mut message = message.message;
        let (answer, length) = (message.reply.take()?, message.length);
        let position = Position {
            log: Arc::clone(&self.log),
            offset,
        };
        if *self.topic != *message.subject {
            self.topic = message.subject.as_str().into();
        }
        let ours = codec::message(message, Arc::clone(&self.topic), position, time);
        self.flow.lock().came(ours.size(), length);
        acks.hold(offset, answer);
        let Some(sequence) = &mut self.sequence else {
            return Some(SourceEvent::Message(ours));
        };
        let before = std::mem::replace(&mut sequence.delivery, delivery);
        if delivery != before + 1 {
            let reason = format!("delivery {delivery} came after {before}");
            return Some(SourceEvent::Interrupted(reason));
        }
        let last = sequence.message;
        sequence.message = last.max(offset);
        let ours = SourceEvent::Message(ours);
        if !sequence.whole || offset <= last + 1 {
            return Some(ours);
        }
        self.next = Some(ours);
        Some(SourceEvent::Gap {
            log: Arc::clone(&self.log),
            count: offset - last - 1,
        })
    }

    /// What is wrong with the consumer, if anything is.
    async fn inspect(&mut self) -> Option<String> {
        self.inspect = Instant::now() + self.times.inspect();
        match self.durable.info(&self.connection).await {
            Ok(None) => Some("the consumer was deleted".into()),
            Ok(Some(info)) if SystemTime::from(info.created) != self.created => {
                Some("the consumer was deleted and made anew".into())
            }
            Ok(Some(info)) if !self.durable.is_right(&info) => {
                Some("the consumer was changed".into())
            }
            Ok(Some(_)) => self.elsewhere().await,
            // Who does not answer tells nothing about it.
            Err(_) => None,
        }
    }

    /// Whether a stream that was added since holds some of what a pattern takes.
    async fn elsewhere(&self) -> Option<String> {
        let topic = &self.durable.subscription.topic;
        if !stream::is_pattern(topic) {
            return None;
        }
        // It is asked again at the next look.
        let names = stream::names(&self.connection, topic).await.ok()?;
        (names.len() > 1).then(|| format!("{topic} lies in more than one stream now"))
    }
}
