//! What the functions of one run share.

use std::path::PathBuf;

use super::{environment::Common, logs::Logs, secrets::Secrets};
use crate::terminal::Console;

/// What the functions of one run share.
#[derive(Debug)]
pub struct Host {
    /// The folder of the run, removed at its end.
    pub folder: PathBuf,
    /// The process group that everything is in.
    pub group: i32,
    /// What their environments have in common.
    pub common: Common,
    /// Their secrets.
    pub secrets: Secrets,
    /// What they write.
    pub logs: Logs,
    /// Where the runner says what becomes of them.
    pub console: Console,
}
