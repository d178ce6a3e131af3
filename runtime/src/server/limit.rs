use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::Config;

/// How many calls run at one time, and how many more may wait for a place.
#[derive(Debug)]
pub(crate) struct Limit {
    /// The places; `None`: there is no limit.
    places: Option<Arc<Semaphore>>,
    /// `max_inflight`.
    size: usize,
    /// Callers that wait.
    waiting: AtomicUsize,
    /// `max_queue`.
    queue: usize,
    /// `max_queue_wait`.
    patience: Duration,
}

/// One place. Dropped, it is free again: the answer's body holds it to its end.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Semaphore>>);

/// Leaves the queue when dropped.
struct Waiting<'a>(&'a AtomicUsize);

// === impl Limit ===

impl Limit {
    pub(crate) fn new(config: &Config) -> Limit {
        Limit {
            places: config
                .max_inflight
                .map(|size| Arc::new(Semaphore::new(size))),
            size: config.max_inflight.unwrap_or(0),
            waiting: AtomicUsize::new(0),
            queue: config.max_queue,
            patience: config.max_queue_wait,
        }
    }

    /// `max_inflight`; 0 without a limit.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether a call would find no place now.
    pub(crate) fn is_full(&self) -> bool {
        self.places
            .as_ref()
            .is_some_and(|places| places.available_permits() == 0)
    }

    /// How many callers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place, if there is one at once. Who waits already comes first.
    pub(crate) fn try_take(&self) -> Option<Place> {
        let Some(places) = &self.places else {
            return Some(Place(None));
        };
        match places.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Some(Place(Some(places.clone())))
            }
            Err(_) => None,
        }
    }

    /// Whether there is room in the queue to wait in.
    pub(crate) fn may_wait(&self) -> bool {
        self.queue > 0 && self.waiting() < self.queue
    }

    /// Waits for a place for as long as a caller may. `None`: the queue is full, or the wait was in vain.
    pub(crate) async fn take(&self) -> Option<Place> {
        let places = self.places.as_ref()?;
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let _waiting = Waiting(&self.waiting);
        let permit = tokio::time::timeout(self.patience, places.acquire())
            .await
            .ok()?
            .ok()?;
        permit.forget();
        Some(Place(Some(places.clone())))
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = &self.0 {
            places.add_permits(1);
        }
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(pairs: &[(&str, &str)]) -> Limit {
        let lookup = |key: &str| {
            pairs
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| (*value).to_owned())
        };
        Limit::new(&Config::from_lookup(lookup).unwrap())
    }

    #[test]
    fn a_place_is_free_again_once_it_is_dropped() {
        let limit = limit(&[("max_inflight", "1")]);
        let place = limit.try_take().unwrap();
        assert!(limit.is_full());
        assert!(limit.try_take().is_none());
        drop(place);
        assert!(limit.try_take().is_some());
    }

    #[test]
    fn without_a_limit_there_is_always_a_place() {
        let limit = limit(&[]);
        let places: Vec<_> = std::iter::repeat_with(|| limit.try_take())
            .take(1000)
            .collect();
        assert!(places.iter().all(Option::is_some));
        assert!(!limit.is_full());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_in_length_and_in_time() {
        let limit = limit(&[
            ("max_inflight", "1"),
            ("max_queue", "1"),
            ("max_queue_wait", "2s"),
        ]);
        let _place = limit.try_take().unwrap();
        let start = tokio::time::Instant::now();
        let (first, second) = tokio::join!(limit.take(), limit.take());
        assert!(first.is_none() && second.is_none());
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        assert_eq!(limit.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place() {
        let limit = limit(&[("max_inflight", "1"), ("max_queue", "1")]);
        let place = limit.try_take().unwrap();
        let (waited, ()) = tokio::join!(limit.take(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(place);
        });
        assert!(waited.is_some());
    }
}
