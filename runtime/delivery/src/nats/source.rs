//! One owner's end of a durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::Info;
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::timeout;

use super::acks::Acks;
use super::broker::Pauses;
use super::connection::Connection;
use super::consumer::Durable;
use super::intake::{Flow, Intake};
use super::lease::Lease;
use super::notes::NotesOf;
use crate::broker::{Demand, Position, Record, Source, SourceError, SourceEvent};

/// An open subscription to a JetStream durable. Dropped without [`Source::close`], it is an owner that died: what it held
/// comes again after `ack_wait`, and its lease is free when it has stood still.
#[derive(Debug)]
pub struct NatsSource {
    pub(super) connection: Connection,
    pub(super) durable: Durable,
    /// Of an ordered durable.
    pub(super) lease: Option<Lease>,
    /// Of one that is shared.
    pub(super) notes: NotesOf,
    pub(super) acks: Arc<Acks>,
    pub(super) flow: Arc<Flow>,
    pub(super) intake: Turn<Intake>,
    /// What comes before the first message.
    pub(super) first: Mutex<VecDeque<SourceEvent>>,
    pub(super) closing: watch::Sender<bool>,
    pub(super) pauses: Arc<Pauses>,
}

impl NatsSource {
    /// How long this owner may hold what it holds, for certain.
    fn lasts(&self) -> Duration {
        match &self.lease {
            Some(lease) => lease.left(),
            None => Duration::MAX,
        }
    }

    async fn lost(&self) -> String {
        match &self.lease {
            Some(lease) => lease.lost().await,
            None => std::future::pending().await,
        }
    }

    async fn info(&self) -> Result<Info, SourceError> {
        self.owned()?;
        let unavailable = |reason: String| SourceError::Unavailable(reason);
        match self.durable.info(&self.connection).await {
            Ok(Some(info)) => Ok(info),
            Ok(None) => Err(unavailable("the consumer is gone".into())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }

    /// Whether the server knows for certain nothing of this delivery: the consumer was deleted, or the server came back from
    /// a crash with what it had last written of it. It never confirms an ack of such a one, and gives the message again.
    async fn is_forgotten(&self, offset: u64) -> bool {
        match self.durable.info(&self.connection).await {
            Ok(Some(info)) => info.delivered.stream_sequence < offset,
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn owned(&self) -> Result<(), SourceError> {
        match *self.closing.borrow() || self.lasts().is_zero() {
            true => Err(SourceError::Lost),
            false => Ok(()),
        }
    }
}

impl Source for NatsSource {
    async fn next(&self) -> SourceEvent {
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        if let Some(event) = first {
            return event;
        }
        let mut closing = self.closing.subscribe();
        let event = {
            let mut intake = self.intake.lock().await;
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => None,
                reason = self.lost() => Some(SourceEvent::Lost(reason)),
                event = intake.next(&self.acks, || self.lasts()) => Some(event),
            }
        };
        match event {
            None => std::future::pending().await,
            // Whoever stood still may hear of anything else first.
            Some(_) if self.lasts().is_zero() => SourceEvent::Lost(self.lost().await),
            Some(event) => {
                if matches!(event, SourceEvent::Interrupted(_)) && self.lease.is_some() {
                    self.pauses.interrupted(&self.durable);
                }
                event
            }
        }
    }

    fn demand(&self, demand: Demand) {
        self.flow.demand(demand);
    }

    async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        self.owned()?;
        match self.acks.settle(position.offset).await {
            // Boxed, as it is rare and every settle would carry it.
            Err(SourceError::Unavailable(_))
                if Box::pin(self.is_forgotten(position.offset)).await =>
            {
                if self.lease.is_some() {
                    self.pauses.interrupted(&self.durable);
                }
                Err(SourceError::Lost)
            }
            settled => settled,
        }
    }

    fn progress_every(&self) -> Option<Duration> {
        Some(self.durable.times.progress())
    }

    async fn progress(&self, positions: &[Position]) {
        if self.owned().is_ok() {
            self.acks.progress(positions).await;
        }
    }

    async fn pending(&self, _: &str) -> Result<usize, SourceError> {
        Ok(self.info().await?.num_ack_pending)
    }

    async fn lag(&self) -> Result<u64, SourceError> {
        let info = self.info().await?;
        Ok(info.num_pending + info.num_ack_pending as u64)
    }

    async fn record(&self, _: &str, record: &Record) -> Result<(), SourceError> {
        self.owned()?;
        match &self.lease {
            Some(lease) => lease.write(record).await,
            None => self.notes.write(record).await,
        }
    }

    fn leave(&self, _: &str) {}

    async fn close(&self) {
        if self.closing.send_replace(true) {
            return;
        }
        let patience = self.durable.times.renew();
        let back = async {
            self.intake.lock().await.close(&self.acks).await;
            if !self.lasts().is_zero() {
                self.acks.release_all().await;
            }
            if let Some(lease) = &self.lease {
                lease.leave().await;
            }
            // What is not sent by now comes again all the same.
            let _ = self.connection.live().await.client.flush().await;
        };
        let _ = timeout(patience, back).await;
    }
}
