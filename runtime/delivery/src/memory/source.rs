//! One owner's end of a durable.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::bus::Shared;
use super::store::Room;
use crate::broker::{
    Assignment, Count, Demand, FinishError, Position, Publication, PublishError, Record, Source,
    SourceError, SourceEvent,
};
use crate::clock::Clock;

/// An open subscription to the in-memory bus. Dropped without [`Source::close`], it is an owner that died: what it held
/// comes again after the bus's `ack_wait`.
pub struct MemorySource<C: Clock> {
    shared: Arc<Shared<C>>,
    durable: Arc<str>,
    owner: u64,
    changed: Arc<Notify>,
    flow: Mutex<(Demand, Count)>,
    assignment: Mutex<Option<Assignment>>,
    closed: AtomicBool,
}

impl<C: Clock> MemorySource<C> {
    pub(super) fn new(
        shared: Arc<Shared<C>>,
        durable: Arc<str>,
        owner: u64,
        changed: Arc<Notify>,
        assignment: Assignment,
    ) -> Self {
        let assignment = Mutex::new(Some(assignment));
        Self {
            shared,
            durable,
            owner,
            changed,
            flow: Mutex::default(),
            assignment,
            closed: AtomicBool::new(false),
        }
    }

    fn owned<T>(&self, act: impl FnOnce(&mut super::store::Store) -> T) -> Result<T, SourceError> {
        let mut state = self.shared.lock();
        if !state.store.owns(&self.durable, self.owner) {
            return Err(SourceError::Lost);
        }
        let result = act(&mut state.store);
        state.wake(&self.durable);
        Ok(result)
    }

    fn part(&self, closes: bool) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.store.part(now, &self.durable, self.owner, closes);
        state.unlisten(&self.durable, &self.changed);
        state.wake(&self.durable);
    }

    /// A message, or when to look again.
    fn poll(&self) -> Result<SourceEvent, Option<crate::clock::Time>> {
        if let Some(assignment) = self
            .assignment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            return Ok(SourceEvent::Assigned(assignment));
        }
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        if !state.store.owns(&self.durable, self.owner) {
            return Ok(SourceEvent::Lost(
                "another owner took the subscription over".into(),
            ));
        }
        let mut flow = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
        let (demand, given) = &mut *flow;
        if given.messages >= demand.up_to.messages {
            return Err(None);
        }
        if let Some(gap) = state.store.gap(&self.durable) {
            return Ok(gap);
        }
        let fits = |size| demand.takes(*given, size);
        match state.store.take(now, &self.durable, self.owner, fits) {
            Some(message) => {
                given.add(message.size());
                Ok(SourceEvent::Message((*message).clone()))
            }
            // What is due and does not fit waits for the demand to grow.
            None => Err(state.store.due(&self.durable).filter(|due| *due > now)),
        }
    }
}

impl<C: Clock> Source for MemorySource<C> {
    async fn next(&self) -> SourceEvent {
        loop {
            let again = match self.poll() {
                Ok(event) => return event,
                Err(again) => again,
            };
            match again {
                None => self.changed.notified().await,
                Some(time) => tokio::select! {
                    biased;
                    () = self.changed.notified() => {}
                    () = self.shared.clock.sleep_until(time) => {}
                },
            }
        }
    }

    fn demand(&self, demand: Demand) {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner).0 = demand;
        self.changed.notify_one();
    }

    async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        self.owned(|store| store.settle(&self.durable, position.offset))
    }

    /// Nobody dies in between: the bus is in this process. What was stored before one was refused is known by its id.
    async fn finish(
        &self,
        position: &Position,
        replies: &[Publication],
    ) -> Result<(), FinishError> {
        let (now, wall) = (self.shared.clock.now(), self.shared.clock.wall());
        let stored = self.owned(|store| {
            for reply in replies {
                store.publish(now, wall, reply, Room::All)?;
            }
            store.settle(&self.durable, position.offset);
            Ok(())
        });
        let state = self.shared.lock();
        for reply in replies {
            state.wake_topic(&reply.topic);
        }
        stored?.map_err(|error| match error {
            PublishError::Unavailable(reason) => FinishError::Unavailable(reason),
            error => FinishError::Refused(error),
        })
    }

    fn progress_every(&self) -> Option<Duration> {
        Some(self.shared.lock().store.limits.ack_wait * 5 / 16)
    }

    async fn progress(&self, positions: &[Position]) {
        let now = self.shared.clock.now();
        // One who is no owner any more has nothing to report.
        let _ = self.owned(|store| {
            for position in positions {
                store.progress(now, &self.durable, position.offset);
            }
        });
    }

    async fn pending(&self, _: &str) -> Result<usize, SourceError> {
        self.owned(|store| store.pending(&self.durable))
    }

    async fn lag(&self) -> Result<u64, SourceError> {
        self.owned(|store| store.backlog(&self.durable).unwrap_or_default() as u64)
    }

    async fn record(&self, _: &str, record: &Record) -> Result<(), SourceError> {
        self.owned(|store| store.set_record(&self.durable, record))
    }

    fn leave(&self, _: &str) {}

    async fn close(&self) {
        self.part(true);
    }
}

impl<C: Clock> Drop for MemorySource<C> {
    fn drop(&mut self) {
        self.part(false);
    }
}

impl<C: Clock> fmt::Debug for MemorySource<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource")
            .field("durable", &self.durable)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
