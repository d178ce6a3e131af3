//! Stores replies and letters.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::oneshot;

use super::context::says_why;
use super::record::record;
use super::settings::Settings;
use crate::broker::{Position, Publication, PublishError, Stored};

/// A producer with its thread.
pub(super) type Client = ThreadedProducer<Reports>;

/// Who is told what became of a record.
pub(super) type Opaque = Box<oneshot::Sender<Report>>;

/// The producers of one owner, made when they are first needed.
#[derive(Default)]
pub(super) struct Producers {
    /// Sends in batches.
    many: Mutex<Option<Arc<Client>>>,
    /// Sends one by one: a batch is refused as too large for all that are in it.
    alone: Mutex<Option<Arc<Client>>>,
}

/// Hands each report to who waits for it, and keeps what went wrong.
#[derive(Debug, Default)]
pub(super) struct Reports {
    trouble: Mutex<Option<String>>,
}

/// Partition and offset, or why not.
pub(super) type Report = Result<(i32, i64), KafkaError>;

impl Producers {
    /// The client that sends in batches; it answers questions too.
    pub(super) fn client(&self, settings: &Settings) -> Result<Arc<Client>, KafkaError> {
        made(&self.many, || {
            settings.producer().create_with_context(Reports::default())
        })
    }

    pub(super) fn trouble(&self) -> Option<String> {
        let kept = self.many.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()?.context().trouble()
    }

    fn alone(&self, settings: &Settings) -> Result<Arc<Client>, KafkaError> {
        made(&self.alone, || {
            let mut config = settings.producer();
            config.set("batch.num.messages", "1");
            config.create_with_context(Reports::default())
        })
    }

    pub(super) async fn publish(
        &self,
        settings: &Settings,
        publication: &Publication,
    ) -> Result<Stored, PublishError> {
        let client = self.client(settings).map_err(unavailable)?;
        let mut report = send(&client, publication).await;
        self.drop_if_fatal(&client, &report);
        if code(&report) == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
            let alone = self.alone(settings).map_err(unavailable)?;
            report = send(&alone, publication).await;
            self.drop_if_fatal(&alone, &report);
        }
        match report {
            Ok((partition, offset)) => Ok(Stored {
                position: Position {
                    log: log(&publication.topic, partition),
                    offset: offset.max(0) as u64,
                },
                duplicate: false,
            }),
            Err(error) => Err(refused(&publication.topic, &error)
                .unwrap_or_else(|| PublishError::Unavailable(client.context().explain(&error)))),
        }
    }

    /// A producer that has lost its place among the brokers' sequence numbers can send no more.
    fn drop_if_fatal(&self, client: &Arc<Client>, report: &Report) {
        if code(report) != Some(RDKafkaErrorCode::Fatal) {
            return;
        }
        for kept in [&self.many, &self.alone] {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, client)) {
                *kept = None;
            }
        }
    }
}

fn made(
    kept: &Mutex<Option<Arc<Client>>>,
    make: impl FnOnce() -> Result<Client, KafkaError>,
) -> Result<Arc<Client>, KafkaError> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = &*kept {
        return Ok(Arc::clone(client));
    }
    let client = Arc::new(make()?);
    *kept = Some(Arc::clone(&client));
    Ok(client)
}

async fn send(client: &Client, publication: &Publication) -> Report {
    let (tell, told) = oneshot::channel();
    let record = record(publication, Box::new(tell));
    client.send(record).map_err(|(error, _)| error)?;
    told.await.unwrap_or(Err(KafkaError::Canceled))
}

/// What the broker will not take at any time.
pub(super) fn refused(topic: &str, error: &KafkaError) -> Option<PublishError> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::MessageSizeTooLarge => {
            Some(PublishError::TooLarge(format!("for topic `{topic}`")))
        }
        RDKafkaErrorCode::InvalidRecord => Some(PublishError::Refused(format!(
            "topic `{topic}` does not take this record: a compacted topic takes none without a key"
        ))),
        _ => None,
    }
}

/// The name of a partition as a log.
pub(super) fn log(topic: &str, partition: i32) -> Arc<str> {
    format!("{topic}/{partition}").into()
}

fn code(report: &Report) -> Option<RDKafkaErrorCode> {
    report.as_ref().err()?.rdkafka_error_code()
}

fn unavailable(error: KafkaError) -> PublishError {
    PublishError::Unavailable(error.to_string())
}

impl Reports {
    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    /// An error in words, with what else went wrong of late.
    pub(super) fn explain(&self, error: &KafkaError) -> String {
        match self.trouble() {
            Some(trouble) => format!("{error} ({trouble})"),
            None => error.to_string(),
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        if says_why(&error) {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Opaque;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        let report = match result {
            Ok(message) => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok((message.partition(), message.offset()))
            }
            Err((error, _)) => Err(error.clone()),
        };
        // One who has gone needs no answer.
        let _ = waiting.send(report);
    }
}
