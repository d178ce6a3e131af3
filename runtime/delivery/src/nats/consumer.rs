//! Durables: ours, one per function and topic.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, Config, DeliverPolicy, Info};
use async_nats::jetstream::stream::Info as Stream;
use serde::Deserialize;
use serde_json::json;

use super::config::Times;
use super::connection::{AskError, Connection};
use crate::broker::{OpenError, Subscription};
use crate::wiring::Start;

/// A durable as it should be.
#[derive(Debug, Clone)]
pub(super) struct Durable {
    pub(super) stream: String,
    pub(super) subscription: Subscription,
    pub(super) times: Times,
}

/// A consumer, ours or not.
#[derive(Deserialize)]
pub(super) struct Consumer {
    pub(super) name: String,
    pub(super) config: Config,
    /// Pulls that wait for messages.
    #[serde(default)]
    pub(super) num_waiting: usize,
    /// Messages that were given and are not settled.
    #[serde(default)]
    pub(super) num_ack_pending: usize,
}

impl Consumer {
    /// Whether it is one of ours that keeps an order: then it has a window, and its owner a lease.
    pub(super) fn is_ordered(&self) -> bool {
        self.config.max_ack_pending > 0
    }

    /// Whether an ordered one may have an owner though nobody pulls, as its window is full.
    pub(super) fn is_full(&self) -> bool {
        self.is_ordered() && self.num_waiting == 0 && self.num_ack_pending > 0
    }
}

/// A page of the consumers of a stream; null where there is none.
#[derive(Deserialize)]
struct Consumers {
    consumers: Option<Vec<Consumer>>,
    total: usize,
}

/// All consumers of a stream.
pub(super) async fn consumers_of(
    connection: &Connection,
    stream: &str,
) -> Result<Vec<Consumer>, AskError> {
    let what = format!("CONSUMER.LIST.{stream}");
    let split = |page: Consumers| (page.consumers.unwrap_or_default(), page.total);
    connection.ask_all(&what, json!({}), split).await
}

impl Durable {
    pub(super) fn name(&self) -> &str {
        &self.subscription.durable
    }

    /// What the server knows of it; `None`: it does not exist.
    pub(super) async fn info(&self, connection: &Connection) -> Result<Option<Info>, AskError> {
        let what = format!("CONSUMER.INFO.{}.{}", self.stream, self.name());
        match connection.ask(&what, &json!({})).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.code() == Some(ErrorCode::CONSUMER_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it, or makes it what it should be. Tells how many messages were waiting when it was made.
    pub(super) async fn ensure(
        &self,
        connection: &Connection,
        stream: &Stream,
    ) -> Result<(Info, Option<u64>), OpenError> {
        let Some(info) = self.info(connection).await? else {
            let made = self.store(connection, &self.made(), "create").await;
            return match made {
                Ok(info) => {
                    let waiting = info.num_pending;
                    Ok((info, Some(waiting)))
                }
                Err(error) => Err(self.refused(error, stream)),
            };
        };
        if info.config.deliver_subject.is_some() || info.config.ack_policy != AckPolicy::Explicit {
            let (stream, name) = (&self.stream, self.name());
            return Err(OpenError::NotReady(format!(
                "the consumer {name} of stream {stream} is not ours, which pulls and acknowledges each message: remove it with `nats consumer rm {stream} {name}`"
            )));
        }
        if self.is_right(&info) {
            return Ok((info, None));
        }
        let corrected = self.corrected(&info.config);
        match self.store(connection, &corrected, "update").await {
            Ok(info) => Ok((info, None)),
            Err(error) => Err(self.refused(error, stream)),
        }
    }

    /// Whether nobody has changed it.
    pub(super) fn is_right(&self, info: &Info) -> bool {
        self.corrected(&info.config) == info.config
    }

    /// As it is first made.
    fn made(&self) -> Config {
        self.corrected(&Config {
            durable_name: Some(self.name().to_owned()),
            name: Some(self.name().to_owned()),
            deliver_policy: match self.subscription.start {
                Start::Oldest => DeliverPolicy::All,
                Start::New => DeliverPolicy::New,
                Start::At(time) => DeliverPolicy::ByStartTime {
                    start_time: time.into(),
                },
            },
            ack_policy: AckPolicy::Explicit,
            ..Config::default()
        })
    }

    /// A configuration with all that the promises need of it.
    fn corrected(&self, config: &Config) -> Config {
        let window = self.subscription.window;
        Config {
            filter_subject: self.subscription.topic.to_string(),
            filter_subjects: Vec::new(),
            ack_wait: self.times.ack_wait,
            max_deliver: -1,
            backoff: Vec::new(),
            max_ack_pending: window.map_or(-1, |window| window as i64),
            headers_only: false,
            ..config.clone()
        }
    }

    async fn store(
        &self,
        connection: &Connection,
        config: &Config,
        action: &str,
    ) -> Result<Info, AskError> {
        let (stream, name) = (&self.stream, self.name());
        let what = format!("CONSUMER.CREATE.{stream}.{name}.{}", config.filter_subject);
        let request = json!({ "stream_name": stream, "config": config, "action": action });
        connection.ask(&what, &request).await
    }

    /// One sentence for what the server refuses.
    fn refused(&self, error: AskError, stream: &Stream) -> OpenError {
        let (topic, name) = (&self.subscription.topic, &stream.config.name);
        let sentence = match error.code() {
            Some(
                ErrorCode::CONSUMER_WQ_MULTIPLE_UNFILTERED
                | ErrorCode::CONSUMER_WQ_CONSUMER_NOT_UNIQUE,
            ) => format!(
                "stream {name} is a work queue and {topic} has its one consumer: for several functions make it anew with `nats stream add {name} --retention=limits`"
            ),
            Some(ErrorCode::CONSUMER_WQ_CONSUMER_NOT_DELIVER_ALL) => format!(
                "stream {name} is a work queue, which can only be read from its oldest message: set events.start to oldest"
            ),
            // Somebody else made it just now.
            Some(ErrorCode::CONSUMER_ALREADY_EXISTS | ErrorCode::CONSUMER_DOES_NOT_EXIST) => {
                return OpenError::Unavailable(error.to_string());
            }
            Some(_) => format!(
                "stream {name} takes no consumer {} for {topic}: {error}",
                self.name()
            ),
            None => return error.into(),
        };
        OpenError::NotReady(sentence)
    }
}
