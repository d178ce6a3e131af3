//! The thread that sends what the queues hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::client::{Client, SendError};
use super::{rejected, request};
use crate::config::{Batches, Config, Export};
use crate::queue::{Counts, Queue};

/// The first wait before a batch is sent again, and the longest; each wait is drawn from the upper half below it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A queue of records and where they go.
pub(crate) struct Records {
    pub(crate) export: Export,
    pub(crate) queue: Arc<Queue>,
    pub(crate) batches: Batches,
    pub(crate) counts: Arc<Counts>,
    /// What they are, for a person.
    pub(crate) what: &'static str,
}

/// A running exporter.
#[derive(Debug)]
pub(crate) struct Exporter {
    stop: watch::Sender<bool>,
    /// Closed when the thread has ended.
    ended: watch::Receiver<()>,
}

impl Exporter {
    /// Starts a thread, which builds everything that costs time. `None` when no thread can be had.
    pub(crate) fn start(config: &Config, records: Vec<Records>) -> Option<Self> {
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(());
        let resource: Arc<[u8]> = super::resource(&config.resource).into();
        let work = move || {
            let _end = end;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let tasks: Vec<_> = records
                    .into_iter()
                    .map(|records| {
                        tokio::spawn(records.run(Arc::clone(&resource), stopped.clone()))
                    })
                    .collect();
                for task in tasks {
                    let _ = task.await;
                }
            });
        };
        let thread = thread::Builder::new().name("otlp".to_owned()).spawn(work);
        thread.ok().map(|_| Self { stop, ended })
    }

    /// Sends what waits, for at most `within`.
    pub(crate) async fn stop(&self, within: Duration) {
        self.stop.send_replace(true);
        let mut ended = self.ended.clone();
        let ended = async { while ended.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(within, ended).await;
    }
}

impl Records {
    async fn run(self, resource: Arc<[u8]>, mut stop: watch::Receiver<bool>) {
        let mut sender = Sender::new(self.export, self.what, self.counts);
        let mut stopping = false;
        while !stopping {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => stopping = true,
                () = self.queue.gathered(self.batches.delay) => {}
            }
            let batch = self.queue.take();
            for (records, count) in batch.chunks(self.batches.size) {
                let request = request(&resource, records);
                sender
                    .send(request, count, self.batches.timeout, &mut stop)
                    .await;
            }
        }
    }
}

/// Sends requests and repeats those that may be taken later.
pub(super) struct Sender {
    client: Client,
    what: &'static str,
    counts: Arc<Counts>,
    /// The last request was given up: said once until one is taken again.
    failing: bool,
}

impl Sender {
    pub(super) fn new(export: Export, what: &'static str, counts: Arc<Counts>) -> Self {
        Self {
            client: Client::new(export),
            what,
            counts,
            failing: false,
        }
    }

    /// Sends a request of `count` records, for at most `within`; after the exporter was told to stop, only once.
    pub(super) async fn send(
        &mut self,
        request: Vec<u8>,
        count: usize,
        within: Duration,
        stop: &mut watch::Receiver<bool>,
    ) {
        let body = self.client.body(request);
        let end = Instant::now() + within;
        let mut longest = FIRST_WAIT;
        let outcome = loop {
            let last = *stop.borrow();
            let error = match self.client.send(body.clone()).await {
                Ok(answer) => break Ok(answer),
                Err(error) => error,
            };
            let wait = error
                .retry_after()
                .unwrap_or_else(|| longest.mul_f64(0.5 + 0.5 * fastrand::f64()));
            if last || !error.is_passing() || Instant::now() + wait > end {
                break Err(error);
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = stopped(stop) => {}
            }
            longest = (longest * 2).min(LONGEST_WAIT);
        };
        self.count(outcome, count as u64);
    }

    fn count(&mut self, outcome: Result<Bytes, SendError>, count: u64) {
        match outcome {
            Ok(answer) => {
                let (rejected, reason) = rejected(&answer);
                let rejected = rejected.min(count);
                self.counts
                    .exported
                    .fetch_add(count - rejected, Ordering::Relaxed);
                self.counts.failed.fetch_add(rejected, Ordering::Relaxed);
                if rejected > 0 {
                    tracing::warn!(
                        "{rejected} of {count} {} were rejected: {reason}",
                        self.what
                    );
                }
                if std::mem::take(&mut self.failing) {
                    tracing::info!("{} are exported again", self.what);
                }
            }
            Err(error) => {
                self.counts.failed.fetch_add(count, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!("{} are lost until this ends: {error}", self.what);
                }
            }
        }
    }
}

/// Resolves when the exporter is told to stop, or nobody is left to tell it.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
