//! The bodies that one owner holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes shared by every subscription of an owner, in equal parts. A clone is the same budget.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: usize,
    subscriptions: AtomicUsize,
}

/// Subscriptions that count, as long as this lives.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    subscriptions: usize,
}

impl Budget {
    /// So many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(Shared {
            bytes,
            subscriptions: AtomicUsize::new(0),
        }))
    }

    /// Counts in so many subscriptions.
    pub(super) fn join(&self, subscriptions: usize) -> Share {
        self.0
            .subscriptions
            .fetch_add(subscriptions, Ordering::Relaxed);
        Share {
            budget: self.clone(),
            subscriptions,
        }
    }
}

impl Default for Budget {
    /// 32 MiB.
    fn default() -> Self {
        Self::of(32 << 20)
    }
}

impl Share {
    /// The bytes of one subscription.
    pub(super) fn bytes(&self) -> usize {
        self.budget.0.bytes / self.budget.0.subscriptions.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget
            .0
            .subscriptions
            .fetch_sub(self.subscriptions, Ordering::Relaxed);
    }
}
