//! Why a stack could not be loaded.

use std::path::PathBuf;

use crate::problem::Report;

/// Why a stack could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The folder holds neither file.
    #[error("{} holds neither a stack.yaml nor a stack.yml; name another file, or make one with `faas-cli new`", .dir.display())]
    Find {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// The file is there and could not be read.
    #[error("{} could not be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read and makes no stack: every error in it, each with its line.
    #[error("{0}")]
    Invalid(Report),
}
