//! One owner per ordered durable: a lease, renewed by compare-and-set.
//!
//! Nobody compares clocks: the holder counts from its last renewal, who waits counts from when it last saw the revision
//! change. The holder gives up well before the other may take over.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::bucket::{Bucket, Found, WriteError};
use super::config::Times;
use super::connection::AskError;
use super::record::{Entry, Notes, State};
use crate::broker::{Record, SourceError};

/// A lease that is held, and renewed until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    renewing: JoinHandle<()>,
}

/// What the renewing task and the holder share.
#[derive(Debug)]
struct Shared {
    bucket: Bucket,
    key: String,
    holder: String,
    times: Times,
    /// The last entry of ours and its revision: one write at a time.
    last: Turn<Last>,
    /// When the last write that is known to be stored was sent.
    renewed: Mutex<Instant>,
    /// Why it is lost.
    lost: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Last {
    revision: u64,
    notes: Option<Notes>,
}

impl Lease {
    /// Waits until the lease is free, and takes it. `fresh`: nobody can hold it, as there is no durable yet.
    pub(super) async fn take(
        bucket: Bucket,
        key: &str,
        holder: String,
        times: Times,
        fresh: bool,
    ) -> Result<Self, AskError> {
        let mut seen: Option<(u64, Instant)> = None;
        loop {
            let Found { revision, entry } = bucket.read(key).await?;
            let since = match seen {
                Some((before, since)) if before == revision => since,
                _ => Instant::now(),
            };
            seen = Some((revision, since));
            let free = match &entry {
                Some(entry) => entry.state == State::Clean,
                None => fresh,
            };
            if !free && since.elapsed() < times.stale() {
                sleep(times.look()).await;
                continue;
            }
            let notes = entry.and_then(|entry| entry.notes);
            let taken = Entry {
                holder: holder.clone(),
                state: State::Open,
                notes: notes.clone(),
            };
            let sent = Instant::now();
            match bucket.write(key, &taken, revision).await {
                Ok(revision) => {
                    let last = Last { revision, notes };
                    return Ok(Self::held(bucket, key, holder, times, last, sent));
                }
                Err(WriteError::Overtaken) => {}
                Err(WriteError::Away(reason)) => return Err(AskError::Away(reason)),
            }
        }
    }

    fn held(
        bucket: Bucket,
        key: &str,
        holder: String,
        times: Times,
        last: Last,
        sent: Instant,
    ) -> Self {
        let shared = Arc::new(Shared {
            bucket,
            key: key.to_owned(),
            holder,
            times,
            last: Turn::new(last),
            renewed: Mutex::new(sent),
            lost: watch::Sender::new(None),
        });
        let renewing = tokio::spawn(Arc::clone(&shared).renew());
        Self { shared, renewing }
    }

    /// How long it is ours for certain; nothing, when it is lost.
    pub(super) fn left(&self) -> Duration {
        self.shared.left()
    }

    /// Completes when it is lost, with why.
    pub(super) async fn lost(&self) -> String {
        let mut lost = self.shared.lost.subscribe();
        match lost.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// What the last holder left; our own, once we have written one.
    pub(super) async fn record(&self) -> Option<Record> {
        let last = self.shared.last.lock().await;
        last.notes.clone().map(Record::from)
    }

    /// Leaves a record for the next holder.
    pub(super) async fn write(&self, record: &Record) -> Result<(), SourceError> {
        self.shared
            .write(State::Open, Some(Notes::from(record)))
            .await
    }

    /// Gives it to whoever comes next.
    pub(super) async fn leave(&self) {
        self.renewing.abort();
        if !self.left().is_zero() {
            // If it is not stored, the next one waits as for the dead.
            let _ = self.shared.write(State::Clean, None).await;
            self.shared.lose("it was left");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Shared {
    fn left(&self) -> Duration {
        if self.lost.borrow().is_some() {
            return Duration::ZERO;
        }
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        self.times.lost().saturating_sub(renewed.elapsed())
    }

    fn lose(&self, reason: &str) {
        self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            if first {
                *lost = Some(reason.to_owned());
            }
            first
        });
    }

    /// Renews it again and again, until that is too late.
    async fn renew(self: Arc<Self>) {
        let mut pause = self.times.renew();
        loop {
            sleep(pause.min(self.left())).await;
            let end = Instant::now() + self.left();
            pause = match timeout_at(end, self.write(State::Open, None)).await {
                Ok(Ok(())) => self.times.renew(),
                Ok(Err(_)) | Err(_) => self.times.look(),
            };
            if self.left().is_zero() {
                // Unless it is known why already.
                return self.lose("its lease could not be renewed");
            }
        }
    }

    /// Writes an entry of ours, with these notes or those that are there.
    async fn write(&self, state: State, notes: Option<Notes>) -> Result<(), SourceError> {
        let mut last = self.last.lock().await;
        let entry = Entry {
            holder: self.holder.clone(),
            state,
            notes: notes.or_else(|| last.notes.clone()),
        };
        loop {
            if self.left().is_zero() {
                return Err(SourceError::Lost);
            }
            let sent = Instant::now();
            match self.bucket.write(&self.key, &entry, last.revision).await {
                Ok(revision) => {
                    last.revision = revision;
                    last.notes = entry.notes;
                    *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                    return Ok(());
                }
                Err(WriteError::Away(reason)) => return Err(SourceError::Unavailable(reason)),
                Err(WriteError::Overtaken) => {}
            }
            // By one of ours, perhaps, whose answer was lost.
            let found = self.bucket.read(&self.key).await;
            let found = found.map_err(|error| SourceError::Unavailable(error.to_string()))?;
            match found.entry {
                Some(entry) if entry.holder == self.holder && found.revision > last.revision => {
                    last.revision = found.revision;
                }
                Some(entry) if entry.holder == self.holder => {
                    return Err(SourceError::Unavailable("an older entry was read".into()));
                }
                _ => {
                    self.lose("another owner has taken it over");
                    return Err(SourceError::Lost);
                }
            }
        }
    }
}
