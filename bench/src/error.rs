//! Why a bench could not be run.

use std::io;

/// A bench that ended without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A program did not start.
    #[error("{program} does not start: {source}")]
    Start {
        /// What was to be run.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server gave no 200 within the bound.
    #[error("{name} did not answer 200 within {seconds} s")]
    NotReady {
        /// The server's name in the table.
        name: String,
        /// The bound.
        seconds: u64,
    },
    /// A server ended before it was told to.
    #[error("{name} ended early: {status}")]
    Ended {
        /// The server's name in the table.
        name: String,
        /// How it ended.
        status: String,
    },
    /// Load could not be put on a server, or some of its answers were not 200.
    #[error("load on port {port}: {reason}")]
    Load {
        /// Where the server listens.
        port: u16,
        /// What went wrong.
        reason: String,
    },
    /// A program's output could not be understood.
    #[error("{program} said nothing about {what}")]
    Output {
        /// The program.
        program: &'static str,
        /// What was looked for.
        what: &'static str,
    },
    /// A program is not installed.
    #[error("{program} is missing: `cargo xtask setup` installs it")]
    Missing {
        /// The program.
        program: &'static str,
    },
    /// A file or a socket of the bench itself.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
