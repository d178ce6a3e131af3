//! The broker: opens subscriptions, checks destinations, stores.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use openfaas_cloudevents::Event;
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::acks::Acks;
use super::bucket::Bucket;
use super::codec;
use super::config::{Config, ConfigError, Times};
use super::connection::{AskError, Connection};
use super::consumer::Durable;
use super::intake::{Begin, Flow, Intake, Sequence};
use super::lease::Lease;
use super::notes::NotesOf;
use super::source::NatsSource;
use super::unreadable::{self, Unreadable};
use super::{publish, stream};
use crate::broker::{
    Assignment, Broker, Codec, Decoded, Message, OpenError, Publication, PublishError, Purpose,
    SourceEvent, Stored, Subscription,
};
use crate::wiring::Format;

/// NATS JetStream, over one connection. A clone shares it.
#[derive(Debug, Clone)]
pub struct Nats {
    pub(super) connection: Connection,
    instance: Arc<str>,
    times: Times,
    pauses: Arc<Pauses>,
    unreadable: Arc<Unreadable>,
}

/// Ordered durables that were interrupted: what was on its way to us is out until `ack_wait` has passed, and would
/// come after what is newer.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    until: Mutex<HashMap<Arc<str>, Instant>>,
}

impl Nats {
    /// Connects in the background: a server that is away keeps subscriptions from opening, and says why.
    ///
    /// # Errors
    /// What can never work.
    pub async fn connect(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            connection: Connection::open(config).await?,
            instance: config.instance.as_str().into(),
            times: Times {
                ack_wait: config.ack_wait,
            },
            pauses: Arc::default(),
            unreadable: Arc::default(),
        })
    }

    /// What is in the way while the connection does not stand.
    pub fn trouble(&self) -> Option<String> {
        (!self.connection.is_up()).then(|| self.connection.because("not connected"))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A name that only this opening has.
    async fn holder(&self) -> String {
        let inbox = self.connection.live().await.client.new_inbox();
        let own = inbox.rsplit('.').next().unwrap_or_default();
        format!("{}/{own}", self.instance)
    }

    async fn lease(&self, durable: &Durable, replicas: usize) -> Result<Lease, OpenError> {
        let bucket = Bucket::open(&self.connection, replicas).await?;
        let fresh = durable.info(&self.connection).await?.is_none();
        let holder = self.holder().await;
        let lease = Lease::take(bucket, durable.name(), holder, self.times, fresh).await?;
        Ok(lease)
    }

    /// What the client could not read of this durable, where the connection was cut as if there were such messages.
    async fn unreadable(&self, durable: &Durable, acks: &Acks) -> Result<Vec<Message>, AskError> {
        if !self.connection.health().borrow().is_repeating() {
            return Ok(Vec::new());
        }
        let Some(info) = durable.info(&self.connection).await? else {
            return Ok(Vec::new());
        };
        let find = self.unreadable.find(&self.connection, durable, &info);
        let found = find.await;
        for message in &found {
            let answer = unreadable::answer(durable, &info, message);
            acks.hold(message.position.offset, answer.into());
        }
        Ok(found)
    }
}

impl Broker for Nats {
    type Source = NatsSource;

    async fn open(&self, subscription: &Subscription) -> Result<NatsSource, OpenError> {
        let stream = stream::find(&self.connection, &subscription.topic).await?;
        stream::check_source(&stream.config, &subscription.topic)?;
        let durable = Durable {
            stream: stream.config.name.clone(),
            subscription: subscription.clone(),
            times: self.times,
        };
        let mut acks = Arc::new(Acks::new(self.connection.clone()));
        let mut unreadable = self.unreadable(&durable, &acks).await?;
        let replicas = stream.config.num_replicas;
        let lease = match subscription.ordered {
            true => {
                let begun = Instant::now();
                let take = async {
                    self.pauses.pass(&durable).await;
                    self.lease(&durable, replicas).await
                };
                // What ends the connection must not come again before it is settled.
                let keep = async {
                    let _ = timeout(self.times.alone(), acks.keep(self.times.progress())).await;
                    std::future::pending::<Infallible>().await
                };
                let lease = tokio::select! {
                    lease = take => lease?,
                    never = keep => match never {},
                };
                // Another owner had it meanwhile, and its messages are none of ours to keep.
                if begun.elapsed() > self.times.alone() {
                    acks = Arc::new(Acks::new(self.connection.clone()));
                    unreadable.clear();
                }
                Some(lease)
            }
            false => None,
        };
        let cuts = self.connection.health().borrow().cuts;
        let (info, created) = durable.ensure(&self.connection, &stream).await?;
        let notes = NotesOf {
            connection: self.connection.clone(),
            instance: self.instance.to_string(),
            key: format!("{}.{}", durable.name(), self.instance),
            replicas,
        };
        let record = match &lease {
            Some(lease) => lease.record().await,
            None => notes.read().await?,
        };
        let log: Arc<str> = durable.stream.as_str().into();
        let pending = info.num_ack_pending > 0;
        let mut first = std::collections::VecDeque::from([SourceEvent::Assigned(Assignment {
            log: Arc::clone(&log),
            floor: info.ack_floor.stream_sequence + 1,
            delivered: pending.then_some(info.delivered.stream_sequence),
            shuffled: true,
            record,
            created,
        })]);
        let whole = stream
            .config
            .subjects
            .iter()
            .all(|subject| stream::covers(&subscription.topic, subject));
        let next = info.delivered.stream_sequence + 1;
        let oldest = stream.state.first_sequence;
        if whole && created.is_none() && oldest > next {
            let count = oldest - next;
            first.push_back(SourceEvent::Gap { log, count });
        }
        let sequence = subscription.ordered.then_some(Sequence {
            delivery: info.delivered.consumer_sequence,
            message: info.delivered.stream_sequence.max(oldest.saturating_sub(1)),
            whole,
        });
        let flow = Arc::<Flow>::default();
        for message in unreadable {
            flow.gave(message.size());
            first.push_back(SourceEvent::Message(message));
        }
        let begin = Begin {
            cuts,
            created: SystemTime::from(info.created),
            sequence,
        };
        let intake = Intake::open(&self.connection, &durable, Arc::clone(&flow), begin)
            .await
            .map_err(|error| OpenError::Unavailable(error.to_string()))?;
        Ok(NatsSource {
            acks,
            connection: self.connection.clone(),
            durable,
            lease,
            notes,
            flow,
            intake: Turn::new(intake),
            first: Mutex::new(first),
            closing: watch::Sender::new(false),
            pauses: Arc::clone(&self.pauses),
        })
    }

    async fn check(&self, topic: &Arc<str>, purpose: Purpose) -> Result<(), OpenError> {
        stream::check(&self.connection, topic, purpose).await
    }

    async fn publish(&self, publication: &Publication) -> Result<Stored, PublishError> {
        publish::publish(&self.connection, publication).await
    }
}

impl Codec for Nats {
    fn decode(&self, message: &Message) -> Decoded {
        codec::decode(message)
    }

    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String> {
        codec::encode(topic, event, format)
    }
}

impl Pauses {
    pub(super) fn interrupted(&self, durable: &Durable) {
        let until = Instant::now() + durable.times.ack_wait;
        let name = Arc::clone(&durable.subscription.durable);
        self.lock().insert(name, until);
    }

    /// Waits until what was on its way has come back.
    async fn pass(&self, durable: &Durable) {
        let until = self.lock().remove(&durable.subscription.durable);
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
