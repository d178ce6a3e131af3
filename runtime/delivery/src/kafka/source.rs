//! The engine's end of a membership.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::producer::Producer;
use tokio::sync::{mpsc, oneshot};

use super::check::on_a_thread;
use super::partition::{Partition, Phase};
use super::producer::Client;
use crate::broker::{
    Count, Demand, FinishError, Position, Publication, Record, Source, SourceError, SourceEvent,
};

/// The last commit and leaving the group take no longer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);

/// A broker that has not answered by then does not answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// An open subscription: a member of a consumer group. Dropped without [`Source::close`] it leaves the group and commits
/// nothing more: what was finished since the last commit comes again.
pub struct KafkaSource {
    shared: Arc<Shared>,
    topic: Arc<str>,
    /// Asks what the group is not asked for.
    client: Arc<Client>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<SourceEvent>>,
}

/// What a source and its thread both see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    thread: OnceLock<Thread>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// What may come.
    pub(super) demand: Demand,
    /// What came.
    pub(super) given: Count,
    /// What is ours of the topic, by number.
    pub(super) partitions: BTreeMap<i32, Partition>,
    /// The member is to leave.
    pub(super) end: Option<End>,
}

/// How a membership ends.
#[derive(Debug)]
pub(super) enum End {
    /// With a last commit; told when it is over.
    Close(oneshot::Sender<()>),
    /// At once.
    Drop,
}

impl KafkaSource {
    pub(super) fn new(
        shared: Arc<Shared>,
        topic: Arc<str>,
        client: Arc<Client>,
        events: mpsc::UnboundedReceiver<SourceEvent>,
    ) -> Self {
        let events = tokio::sync::Mutex::new(events);
        Self {
            shared,
            topic,
            client,
            events,
        }
    }

    /// Does something with a partition that is ours.
    fn owned<T>(&self, log: &str, act: impl FnOnce(&mut Partition) -> T) -> Result<T, SourceError> {
        let number = log
            .strip_prefix(&*self.topic)
            .and_then(|rest| rest.strip_prefix('/')?.parse().ok());
        let mut state = self.shared.lock();
        let partition = number.and_then(|number: i32| state.partitions.get_mut(&number));
        partition.map(act).ok_or(SourceError::Lost)
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread that is woken from now on.
    pub(super) fn serve(&self, thread: Thread) {
        let _ = self.thread.set(thread);
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.wake();
    }
}

impl Source for KafkaSource {
    async fn next(&self) -> SourceEvent {
        match self.events.lock().await.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    fn demand(&self, demand: Demand) {
        self.shared.lock().demand = demand;
        self.shared.wake();
    }

    async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        self.owned(&position.log, |partition| partition.finish(position.offset))
    }

    async fn finish(
        &self,
        position: &Position,
        replies: &[Publication],
    ) -> Result<(), FinishError> {
        let (tell, told) = oneshot::channel();
        self.owned(&position.log, |partition| {
            partition.finish_with(position.offset, replies.into(), tell);
        })?;
        self.shared.wake();
        told.await.unwrap_or(Err(FinishError::Lost))
    }

    fn progress_every(&self) -> Option<Duration> {
        None
    }

    async fn progress(&self, _: &[Position]) {}

    /// There is no giving back one record: it stays unfinished, and holds up the prefix, until this owner leaves.
    async fn pending(&self, log: &str) -> Result<usize, SourceError> {
        self.owned(log, |partition| partition.progress.unfinished())
    }

    async fn lag(&self) -> Result<u64, SourceError> {
        let ours: Vec<i32> = self.shared.lock().partitions.keys().copied().collect();
        let (client, topic) = (Arc::clone(&self.client), Arc::clone(&self.topic));
        let found = on_a_thread(move || {
            let ends = |number| {
                let ends = client
                    .client()
                    .fetch_watermarks(&topic, number, ASK_TIMEOUT);
                let (low, high) = ends.map_err(|error| error.to_string())?;
                Ok((number, low.max(0) as u64, high.max(0) as u64))
            };
            ours.into_iter()
                .map(ends)
                .collect::<Result<Vec<_>, String>>()
        });
        let found = found.await.map_err(SourceError::Unavailable)?;
        let state = self.shared.lock();
        let lag = found.into_iter().filter_map(|(number, low, high)| {
            let partition = state.partitions.get(&number)?;
            Some(partition.progress.lag(low, high))
        });
        Ok(lag.sum())
    }

    async fn record(&self, log: &str, record: &Record) -> Result<(), SourceError> {
        let (tell, told) = oneshot::channel();
        self.owned(log, |partition| partition.set_record(record, tell))?;
        self.shared.wake();
        told.await.unwrap_or(Err(SourceError::Lost))
    }

    fn leave(&self, log: &str) {
        // One that is not ours any more has left already.
        let _ = self.owned(log, |partition| partition.phase = Phase::Left);
        self.shared.wake();
    }

    async fn close(&self) {
        let (tell, told) = oneshot::channel();
        self.shared.end(End::Close(tell));
        // Closed twice, the first one is told; and a broker that is away is not waited for.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, told).await;
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.shared.end(End::Drop);
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}
