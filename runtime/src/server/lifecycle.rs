use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::endpoint::FunctionService;

/// Where the function stands between its start and its end.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    phase: AtomicU8,
    /// Health does not wait for the initialiser any longer.
    graced: AtomicBool,
    /// No worker has been free for too long.
    stuck: AtomicBool,
    /// What the initialiser has made.
    service: OnceLock<FunctionService>,
    /// Told when there is a service.
    made: Notify,
    /// Told when the socket is closed.
    closing: Notify,
    /// Told, while draining, whenever a call is over.
    call_over: Notify,
    began: Instant,
    /// Milliseconds after `began` of the last call, kept up while draining.
    last_call: AtomicU64,
}

/// Each is later than those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Calls are taken.
    Serving,
    /// Calls are still taken; health and ready say no, and each answer ends its connection.
    Leaving,
    /// The socket is closed, what runs may end.
    Closed,
    /// What still runs is cut.
    Cutting,
}

// === impl Lifecycle ===

impl Lifecycle {
    pub(crate) fn new() -> Lifecycle {
        Lifecycle {
            phase: AtomicU8::new(Phase::Serving as u8),
            graced: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            service: OnceLock::new(),
            made: Notify::new(),
            closing: Notify::new(),
            call_over: Notify::new(),
            began: Instant::now(),
            last_call: AtomicU64::new(0),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Serving,
            1 => Phase::Leaving,
            2 => Phase::Closed,
            _ => Phase::Cutting,
        }
    }

    /// Goes on to a later phase.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        if phase >= Phase::Closed {
            self.closing.notify_waiters();
        }
    }

    /// Whether answers shall end their connections.
    pub(crate) fn is_leaving(&self) -> bool {
        self.phase.load(Ordering::Relaxed) != Phase::Serving as u8
    }

    /// The initialiser is done.
    pub(crate) fn initialised(&self, service: FunctionService) {
        if self.service.set(service).is_ok() {
            self.made.notify_waiters();
        }
    }

    pub(crate) fn is_initialised(&self) -> bool {
        self.service.get().is_some()
    }

    /// Health waits for the initialiser no longer.
    pub(crate) fn end_grace(&self) {
        self.graced.store(true, Ordering::Relaxed);
    }

    /// Whether that is news.
    pub(crate) fn set_stuck(&self, stuck: bool) -> bool {
        self.stuck.swap(stuck, Ordering::Relaxed) != stuck
    }

    /// Whether the process is well: it serves, and workers are free now and then.
    pub(crate) fn is_healthy(&self) -> bool {
        self.phase() == Phase::Serving
            && !self.stuck.load(Ordering::Relaxed)
            && (self.is_initialised() || self.graced.load(Ordering::Relaxed))
    }

    /// What handles calls, if it is there already.
    pub(crate) fn service(&self) -> Option<&FunctionService> {
        self.service.get()
    }

    /// What handles calls, as soon as it is there.
    pub(crate) async fn wait_for_service(&self) -> &FunctionService {
        loop {
            let mut made = std::pin::pin!(self.made.notified());
            made.as_mut().enable();
            if let Some(service) = self.service.get() {
                return service;
            }
            made.await;
        }
    }

    /// Told when the socket is closed.
    pub(crate) fn closing(&self) -> &Notify {
        &self.closing
    }

    /// A call has come in.
    pub(crate) fn call_begins(&self) {
        if self.is_leaving() {
            let since = self.began.elapsed().as_millis() as u64;
            self.last_call.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// When the last call came in, as far as one did since the function is leaving.
    pub(crate) fn last_call(&self) -> Instant {
        self.began + Duration::from_millis(self.last_call.load(Ordering::Relaxed))
    }

    /// A call is over.
    pub(crate) fn call_ends(&self) {
        if self.is_leaving() {
            self.call_over.notify_waiters();
        }
    }

    /// Told, while leaving, whenever a call is over.
    pub(crate) fn call_over(&self) -> &Notify {
        &self.call_over
    }
}
