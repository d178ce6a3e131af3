//! Stores a put-back and its marker, both or neither.

use std::fmt;

use rdkafka::error::KafkaError;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::oneshot;

use crate::broker::{Position, Publication, PublishError, Stored};
use crate::kafka::check::TIMEOUT;
use crate::kafka::producer::{Report, Reports, log, refused};
use crate::kafka::record::record;
use crate::kafka::settings::Settings;
use crate::kafka::transaction::{self, Allowed};

/// The one producer that may change the letters of a topic. It blocks: for threads alone.
pub(super) struct Writer {
    producer: ThreadedProducer<Reports>,
    topic: String,
}

impl Writer {
    /// Ends every other one of this topic, and what that one has begun.
    pub(super) fn open(settings: &Settings, topic: &str) -> Result<Self, String> {
        let id = format!("openfaas.redrive.{topic}");
        let producer = transaction::open(settings, &id, &Allowed::Only(&id));
        let producer = producer.map_err(|error| error.to_string())?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Stores these records, each in its partition if it says one. Says where the first one lies.
    pub(super) fn write(
        &self,
        records: &[(Publication, Option<i32>)],
    ) -> Result<Stored, PublishError> {
        let producer = &self.producer;
        producer
            .begin_transaction()
            .map_err(|error| self.unavailable(&error))?;
        let mut told = Vec::with_capacity(records.len());
        let sent = records.iter().try_for_each(|(publication, partition)| {
            let (tell, tells) = oneshot::channel();
            told.push((publication, tells));
            let mut record = record(publication, Box::new(tell));
            if let Some(partition) = partition {
                record = record.partition(*partition);
            }
            producer.send(record).map_err(|(error, _)| error)
        });
        match sent.and_then(|()| transaction::commit(producer)) {
            Ok(()) => {
                let (publication, tells) = told.swap_remove(0);
                Ok(stored(publication, tells.blocking_recv()))
            }
            Err(error) => {
                let _ = producer.abort_transaction(TIMEOUT);
                let mut reports = told.into_iter().filter_map(|(publication, mut tells)| {
                    let error = tells.try_recv().ok()?.err()?;
                    refused(&publication.topic, &error)
                });
                Err(reports.next().unwrap_or_else(|| self.unavailable(&error)))
            }
        }
    }

    fn unavailable(&self, error: &KafkaError) -> PublishError {
        let fenced = matches!(
            error.rdkafka_error_code(),
            Some(Code::Fenced | Code::InvalidProducerEpoch | Code::ProducerFenced)
        );
        PublishError::Unavailable(match fenced {
            true => format!(
                "somebody else has begun to change the letters in {}",
                self.topic
            ),
            false => self.producer.context().explain(error),
        })
    }
}

fn stored(publication: &Publication, report: Result<Report, oneshot::error::RecvError>) -> Stored {
    let (partition, offset) = match report {
        Ok(Ok(place)) => place,
        // It is committed all the same.
        _ => (0, 0),
    };
    Stored {
        position: Position {
            log: log(&publication.topic, partition),
            offset: offset.max(0) as u64,
        },
        duplicate: false,
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
