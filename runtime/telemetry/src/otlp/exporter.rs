//! The thread that sends what the queues hold and what the metrics say.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::client::{Client, SendError};
use super::logs::Exported;
use super::metrics::{Period, encode};
use super::{rejected, request, resource};
use crate::config::{Batches, Config, Export};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::span::nanoseconds;

/// The first wait before a request is sent again, and the longest; each wait is drawn from the upper half below it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A running exporter.
#[derive(Debug)]
pub(crate) struct Exporter {
    stop: watch::Sender<bool>,
    /// Closed when the thread has ended.
    ended: watch::Receiver<()>,
}

/// Everything that is to be sent.
pub(crate) struct Signals {
    pub(crate) spans: Option<Arc<Queue>>,
    pub(crate) logs: Option<Arc<Queue>>,
    pub(crate) metrics: Metrics,
}

/// What every request of the process needs.
struct Sender {
    client: Client,
    resource: Arc<[u8]>,
    stop: watch::Receiver<bool>,
    /// What it sends, for a person.
    what: &'static str,
    /// The last request was given up: said once until one is taken again.
    failing: bool,
}

// === impl Exporter ===

impl Exporter {
    /// Starts a thread, which builds everything that costs time. `None` when no thread can be had.
    pub(crate) fn start(config: Config, signals: Signals) -> Option<Self> {
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(());
        let work = move || {
            let _end = end;
            Exported::exclude_this_thread();
            if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
                runtime.block_on(async {
                    let mut tasks = tasks(config, signals, &stopped);
                    while tasks.join_next().await.is_some() {}
                });
            }
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

/// One task for each signal, until the exporter is told to stop.
fn tasks(config: Config, signals: Signals, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let resource: Arc<[u8]> = resource(&config.resource).into();
    let sender = |export: Export, what| Sender {
        client: Client::new(export),
        resource: Arc::clone(&resource),
        stop: stop.clone(),
        what,
        failing: false,
    };
    let mut tasks = JoinSet::new();
    if let (Some(export), Some(queue)) = (config.traces, signals.spans) {
        tasks.spawn(records(sender(export, "spans"), queue, config.span_batches));
    }
    if let (Some(export), Some(queue)) = (config.logs, signals.logs) {
        tasks.spawn(records(
            sender(export, "log records"),
            queue,
            config.log_batches,
        ));
    }
    if let Some(export) = config.metrics {
        let sender = sender(export, "metrics");
        let (interval, timeout) = (config.metric_interval, config.metric_timeout);
        tasks.spawn(metrics(sender, signals.metrics, interval, timeout));
    }
    tasks
}

async fn records(mut sender: Sender, queue: Arc<Queue>, batches: Batches) {
    let mut stopping = false;
    while !stopping {
        tokio::select! {
            biased;
            () = sender.stopped() => stopping = true,
            () = queue.gathered(batches.delay) => {}
        }
        let batch = queue.take();
        for (records, count) in batch.chunks(batches.size) {
            let count = count as u64;
            let taken = sender.send(records, count, batches.timeout).await;
            queue.counts().exported.fetch_add(taken, Ordering::Relaxed);
            queue
                .counts()
                .failed
                .fetch_add(count - taken, Ordering::Relaxed);
        }
    }
}

async fn metrics(mut sender: Sender, metrics: Metrics, interval: Duration, timeout: Duration) {
    let start = nanoseconds(SystemTime::now());
    let mut stopping = false;
    while !stopping {
        tokio::select! {
            biased;
            () = sender.stopped() => stopping = true,
            () = sleep(interval) => {}
        }
        let end = nanoseconds(SystemTime::now());
        let encoded = encode(&metrics, Period { start, end });
        sender.send(&encoded, 1, timeout).await;
    }
}

// === impl Sender ===

impl Sender {
    /// Sends `count` records for at most `within`, again and again where that may help; once the exporter was told to
    /// stop, only once. How many were taken.
    async fn send(&mut self, records: &[u8], count: u64, within: Duration) -> u64 {
        let body = self.client.body(request(&self.resource, records));
        let end = Instant::now() + within;
        let mut longest = FIRST_WAIT;
        loop {
            let last = *self.stop.borrow();
            let error = match self.client.send(body.clone()).await {
                Ok(answer) => return self.taken(&answer, count),
                Err(error) => error,
            };
            let drawn = || longest.mul_f64(0.5 + 0.5 * fastrand::f64());
            let wait = error.retry_after().unwrap_or_else(drawn);
            if last || !error.is_passing() || Instant::now() + wait > end {
                return self.given_up(&error);
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stopped() => {}
            }
            longest = (longest * 2).min(LONGEST_WAIT);
        }
    }

    fn taken(&mut self, answer: &[u8], count: u64) -> u64 {
        if std::mem::take(&mut self.failing) {
            tracing::info!("{} are exported again", self.what);
        }
        let (rejected, reason) = rejected(answer);
        if rejected > 0 {
            tracing::warn!("{rejected} {} were rejected: {reason}", self.what);
        }
        count.saturating_sub(rejected)
    }

    fn given_up(&mut self, error: &SendError) -> u64 {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("{} are lost until this ends: {error}", self.what);
        }
        0
    }

    /// Resolves when the exporter is told to stop, or nobody is left to tell it.
    async fn stopped(&mut self) {
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod tests;
