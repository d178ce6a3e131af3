//! The bounded line between those who produce spans or log records and the thread that sends them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::otlp::protobuf;

/// Most bytes that wait, for each record that may wait. What attributes hold is the author's, the memory is not.
const BYTES_PER_RECORD: usize = 4 * 1024;

/// Records in their final form, waiting to be sent.
///
/// `push` never waits for anybody but another `push`: what finds no place is dropped and counted.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Batch>,
    max_records: usize,
    /// How many records are worth waking the sender for.
    batch_size: usize,
    ready: Notify,
    counts: Counts,
}

/// How many records went which way.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Found no place.
    pub(crate) dropped: AtomicU64,
    /// Taken by the other side.
    pub(crate) exported: AtomicU64,
    /// Given up, as the other side did not take them.
    pub(crate) failed: AtomicU64,
}

/// Encoded records, one after the other, each already with the prefix of its field.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Queue {
    pub(crate) fn new(max_records: usize, batch_size: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            max_records,
            batch_size: batch_size.min(max_records),
            ready: Notify::new(),
            counts: Counts::default(),
        }
    }

    /// Adds a record as field 2, where `ScopeSpans` has its spans and `ScopeLogs` its log records.
    pub(crate) fn push(&self, record: &[u8]) {
        let mut waiting = self.lock();
        let bytes = waiting.bytes.len() + record.len();
        if waiting.len() >= self.max_records || bytes > self.max_records * BYTES_PER_RECORD {
            drop(waiting);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        protobuf::bytes(&mut waiting.bytes, 2, record);
        let end = waiting.bytes.len();
        waiting.ends.push(end);
        let count = waiting.len();
        drop(waiting);
        if count == 1 || count == self.batch_size {
            self.ready.notify_one();
        }
    }

    /// Everything that waits.
    pub(crate) fn take(&self) -> Batch {
        std::mem::take(&mut *self.lock())
    }

    /// Resolves once a whole batch waits, or the first record has waited for `delay`. An idle queue wakes nobody.
    pub(crate) async fn gathered(&self, delay: Duration) {
        self.reached(1).await;
        let _ = tokio::time::timeout(delay, self.reached(self.batch_size)).await;
    }

    async fn reached(&self, count: usize) {
        while self.lock().len() < count {
            self.ready.notified().await;
        }
    }

    /// How many records went which way so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// How many records it holds.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The records in runs of at most `size`: the bytes of each run and how many records they are.
    pub(crate) fn chunks(&self, size: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let mut start = 0;
        self.ends.chunks(size).map(move |ends| {
            let end = ends.last().copied().unwrap_or(start);
            let bytes = &self.bytes[start..end];
            start = end;
            (bytes, ends.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(queue: &Queue) -> u64 {
        queue.counts().dropped.load(Ordering::Relaxed)
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let queue = Queue::new(2, 512);
        for _ in 0..5 {
            queue.push(b"span");
        }
        assert_eq!(dropped(&queue), 3);
        assert_eq!(queue.take().len(), 2);
        queue.push(b"span");
        assert_eq!((dropped(&queue), queue.take().len()), (3, 1));
    }

    #[test]
    fn large_records_are_bounded_by_their_bytes() {
        let queue = Queue::new(4, 512);
        for _ in 0..4 {
            queue.push(&[0; 3 * BYTES_PER_RECORD / 2]);
        }
        assert_eq!((queue.take().len(), dropped(&queue)), (2, 2));
    }

    #[test]
    fn a_batch_comes_out_in_runs() {
        let queue = Queue::new(16, 16);
        for record in [&b"a"[..], b"bb", b"ccc"] {
            queue.push(record);
        }
        let batch = queue.take();
        let runs: Vec<_> = batch.chunks(2).collect();
        assert_eq!(
            runs,
            [(&b"\x12\x01a\x12\x02bb"[..], 2), (b"\x12\x03ccc", 1)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_sender_is_woken_by_a_whole_batch_or_after_the_delay() {
        let queue = Queue::new(16, 2);
        let delay = Duration::from_secs(5);
        let start = tokio::time::Instant::now();
        queue.push(b"a");
        queue.gathered(delay).await;
        assert_eq!(start.elapsed(), delay);
        queue.push(b"b");
        queue.gathered(delay).await;
        assert_eq!(start.elapsed(), delay);
        queue.take();
        let idle = tokio::time::timeout(delay * 100, queue.gathered(delay)).await;
        assert!(idle.is_err());
    }
}
