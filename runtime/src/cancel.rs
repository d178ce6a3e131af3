use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

/// Told once that nobody waits for an answer any more. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    told: AtomicBool,
    notify: Notify,
}

// === impl Cancel ===

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.told.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.told.load(Ordering::Acquire)
    }

    /// Returns as soon as it was told, also when that was before.
    pub(crate) async fn cancelled(&self) {
        let mut notified = std::pin::pin!(self.0.notify.notified());
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}
