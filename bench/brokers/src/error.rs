//! Why a bench could not be run.

use std::io;
use std::time::Duration;

/// A bench that ended without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file, a socket or a process of the bench itself.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A program did not start.
    #[error("{program} does not start: {source}")]
    Start {
        /// Its file.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it was told to.
    #[error("{name} ended early: {status}\n{said}")]
    Ended {
        /// Its name in the table.
        name: String,
        /// How.
        status: String,
        /// The end of what it wrote.
        said: String,
    },
    /// What had to come did not within its bound.
    #[error("{name} settled {settled} of {of} events within {within:?}\n{said}")]
    Late {
        /// The contender's name in the table.
        name: String,
        /// So many were settled.
        settled: u64,
        /// Of so many.
        of: u64,
        /// The bound.
        within: Duration,
        /// The end of what it wrote.
        said: String,
    },
    /// A broker did not do what the bench itself asked of it.
    #[error("{what}: {why}")]
    Broker {
        /// What was asked.
        what: &'static str,
        /// What it said.
        why: String,
    },
}

impl Error {
    /// A broker did not do `what`.
    pub(crate) fn broker<E: ToString>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Broker {
            what,
            why: error.to_string(),
        }
    }
}
