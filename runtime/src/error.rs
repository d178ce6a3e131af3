use std::fmt;

use crate::BoxError;

/// What [`Function::run`](crate::Function::run) and [`serve`](crate::Function::serve) end with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a function did not start, or did not end well: one sentence.
///
/// `Debug` writes that sentence too, because it is what Rust prints for an `Err` that `main` returns, before it exits
/// with code 1.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the environment that cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The function's port cannot be had.
    #[error("cannot listen on port {port}: {source}; choose another with `port`")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The metrics port cannot be had.
    #[error("cannot listen on metrics port {port}: {source}; choose another with `metrics_port`")]
    ListenMetrics {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The runtime's threads or signal handlers could not be set up.
    #[error("cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// `run` was called where an async runtime already runs.
    #[error(
        "`run` brings its own async runtime: call it from a plain `fn main`, or use `serve(listener, shutdown).await`"
    )]
    Nested,
    /// The initialiser given to `init` failed.
    #[error("the initialiser failed: {0}")]
    Init(#[source] BoxError),
    /// The broker that `events_broker` names can never be reached like this.
    #[error("{0}")]
    Broker(String),
    /// `-run-healthcheck` found the function unhealthy.
    #[error("unable to find lock file.")]
    Unhealthy,
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
