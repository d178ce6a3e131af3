//! The HTTP side of the OpenFaaS function contract, from accept to drain.

pub(crate) mod answer;
mod answer_body;
mod calling;
mod connection;
mod counters;
mod health;
#[cfg(any(feature = "nats", feature = "kafka"))]
pub(crate) mod inside;
mod lifecycle;
pub(crate) mod limit;
pub(crate) mod lock;
mod metrics;
mod record;
mod request_body;
mod serve;
mod service;
mod watch;

use std::{sync::Arc, time::Duration};

use http::Uri;
use openfaas_telemetry::{Telemetry, Trigger, logs::Logs};
use tokio::runtime::Handle;

use crate::{
    Config, Gateway, Publisher, Secrets,
    call::Shared,
    door,
    function::{Parts, ReadyCheck},
};
use counters::Counters;
use lifecycle::{Lifecycle, Phase};
use limit::Limit;
use lock::LockFile;
use watch::Watch;

pub(crate) use serve::{Sockets, accept_failed, serve};

/// Longer than any process lives, and short enough to be added to a moment.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// One function that is served.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) lock: LockFile,
    pub(crate) counters: Counters,
    pub(crate) watch: Watch,
    pub(crate) logs: Logs,
    /// How it is with the events that it takes from a broker itself.
    pub(crate) door: Arc<door::Status>,
    /// A line per call.
    pub(crate) request_log: bool,
    /// With the call id in brackets.
    pub(crate) log_call_id: bool,
    /// What `/_/ready` asks the function.
    pub(crate) ready_path: Option<Uri>,
    /// What `/_/ready` asks the check.
    pub(crate) ready: Option<ReadyCheck>,
    /// For a handler, until its answer begins.
    pub(crate) exec_limit: Duration,
    /// For a request's head, and for the whole of it; `None`: no limit.
    pub(crate) read_limit: Option<Duration>,
    /// For an answer, from one byte to the next.
    pub(crate) idle_limit: Duration,
    /// The longest body of any request.
    pub(crate) body_limit: Option<u64>,
    /// The longest body that an extractor reads whole.
    pub(crate) whole_limit: Option<usize>,
    /// Whether the handler may read a body as it comes.
    pub(crate) streams: bool,
}

// === impl Server ===

impl Server {
    fn new(config: &Config, parts: Parts, telemetry: Telemetry, logs: Logs) -> Server {
        let whole_limit = config.max_body.whole();
        let exec_limit = config.exec_timeout.unwrap_or(config.write_timeout);
        let trigger = trigger(parts.streams);
        let shared = Arc::new(shared(config, telemetry));
        Server {
            counters: Counters::new(&shared, trigger),
            shared,
            lifecycle: Lifecycle::new(),
            lock: LockFile::new(config),
            watch: Watch::new(Handle::current().metrics().num_workers()),
            logs,
            door: Arc::new(door::Status::new(config)),
            request_log: config.request_log,
            log_call_id: config.log_call_id,
            ready_path: config
                .ready_path
                .as_ref()
                .and_then(|path| path.parse().ok()),
            ready: parts.ready,
            exec_limit: exec_limit.min(config.write_timeout).min(FOREVER),
            read_limit: Some(config.read_timeout.min(FOREVER)).filter(|limit| !limit.is_zero()),
            idle_limit: config.write_timeout.min(FOREVER),
            body_limit: if parts.streams {
                config.max_body.streamed()
            } else {
                whole_limit
            },
            whole_limit: whole_limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            streams: parts.streams,
        }
    }

    /// What `/_/health` says.
    pub(crate) fn is_healthy(&self) -> bool {
        self.lifecycle.is_healthy() && self.lock.is_fine()
    }

    /// How many calls are not over yet.
    pub(crate) fn calls_in_flight(&self) -> i64 {
        self.shared.telemetry.metrics().http().in_flight()
    }

    /// What brings its calls, as a span names it.
    pub(crate) fn trigger(&self) -> Trigger {
        trigger(self.streams)
    }
}

fn trigger(streams: bool) -> Trigger {
    match streams {
        true => Trigger::Http,
        false => Trigger::PubSub,
    }
}

/// What every call of a function shares.
pub(crate) fn shared(config: &Config, telemetry: Telemetry) -> Shared {
    Shared {
        name: config.name.as_str().into(),
        secrets: Secrets::at(config.secret_mount_path.clone()),
        gateway: Gateway::new(config),
        publisher: Publisher::new(config),
        telemetry,
        max_body: config.max_body,
        limit: Limit::new(config),
    }
}
