//! A broker that can be told to store nothing in one topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openfaas_cloudevents::Event;

use crate::broker::{
    Broker, Codec, Decoded, Demand, FinishError, Message, OpenError, Position, Publication,
    PublishError, Purpose, Record, Source, SourceError, SourceEvent, Stored, Subscription,
};
use crate::wiring::{Format, Wiring};

/// The broker of a stand, which can be told to store nothing in one topic.
pub(super) struct Gated<B> {
    pub(super) inner: B,
    pub(super) topic: String,
    pub(super) shut: Arc<AtomicBool>,
}

/// A subscription of it.
pub(super) struct GatedSource<S> {
    inner: S,
    topic: String,
    shut: Arc<AtomicBool>,
}

impl<B: Broker> Broker for Gated<B> {
    type Source = GatedSource<B::Source>;

    fn durable(&self, wiring: &Wiring, topic: &str) -> String {
        self.inner.durable(wiring, topic)
    }

    fn transactional(&self) -> bool {
        self.inner.transactional()
    }

    async fn open(&self, subscription: &Subscription) -> Result<Self::Source, OpenError> {
        Ok(GatedSource {
            inner: self.inner.open(subscription).await?,
            topic: self.topic.clone(),
            shut: Arc::clone(&self.shut),
        })
    }

    async fn check(&self, topic: &Arc<str>, purpose: Purpose) -> Result<(), OpenError> {
        self.inner.check(topic, purpose).await
    }

    async fn publish(&self, publication: &Publication) -> Result<Stored, PublishError> {
        if *publication.topic == *self.topic && self.shut.load(Ordering::Relaxed) {
            return Err(PublishError::Unavailable("shut".into()));
        }
        self.inner.publish(publication).await
    }
}

impl<B: Broker> Codec for Gated<B> {
    fn decode(&self, message: &Message) -> Decoded {
        self.inner.decode(message)
    }

    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String> {
        self.inner.encode(topic, event, format)
    }
}

impl<S: Source> Source for GatedSource<S> {
    async fn next(&self) -> SourceEvent {
        self.inner.next().await
    }

    fn demand(&self, demand: Demand) {
        self.inner.demand(demand);
    }

    async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        self.inner.settle(position).await
    }

    async fn finish(
        &self,
        position: &Position,
        replies: &[Publication],
    ) -> Result<(), FinishError> {
        let shut = self.shut.load(Ordering::Relaxed);
        if shut && replies.iter().any(|reply| *reply.topic == *self.topic) {
            return Err(FinishError::Unavailable("shut".into()));
        }
        self.inner.finish(position, replies).await
    }

    fn progress_every(&self) -> Option<Duration> {
        self.inner.progress_every()
    }

    async fn progress(&self, positions: &[Position]) {
        self.inner.progress(positions).await;
    }

    async fn pending(&self, log: &str) -> Result<usize, SourceError> {
        self.inner.pending(log).await
    }

    async fn lag(&self) -> Result<u64, SourceError> {
        self.inner.lag().await
    }

    async fn record(&self, log: &str, record: &Record) -> Result<(), SourceError> {
        self.inner.record(log, record).await
    }

    fn leave(&self, log: &str) {
        self.inner.leave(log);
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
