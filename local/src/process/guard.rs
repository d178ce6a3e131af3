//! The guard: a second process of this program that clears up when the first one cannot.
//!
//! Every function and every compiler runs in the guard's process group. The runner holds the guard's standard input
//! open; the kernel closes it when the runner ends, however it ends, `kill -9` included. From then on the guard takes
//! the group down and removes the run's folder. No process has to be told of another one, and a process that a function
//! started itself is in the group as well.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Signal, getpgrp, kill_process_group};
use thiserror::Error;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    signal::unix::{SignalKind, signal},
};

use super::leavings::{how, remove};
use crate::terminal::with_cause;

/// The hidden command under which this program becomes the guard.
pub const COMMAND: &str = "guard";

/// What the runner writes before it closes the pipe when it has cleared up itself.
const CLEAN: u8 = b'.';

/// What the processes of a runner that was killed are given between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

/// The runner's end of the guard.
#[derive(Debug)]
pub struct Guard {
    /// The guard process.
    child: Child,
    /// The pipe whose end tells the guard that the runner is gone.
    pipe: ChildStdin,
    /// The process group that everything the runner starts belongs to.
    group: i32,
}

/// Why there is no guard.
#[derive(Debug, Error)]
pub enum GuardError {
    /// This program's own file is unknown.
    #[error(
        "cannot find this program's own file, which it starts a second time to clear up after itself"
    )]
    OwnFile(#[source] io::Error),
    /// The second process did not start.
    #[error("cannot start a second process of {program}")]
    Start {
        /// This program's file.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Guard {
    /// Starts the guard of a run whose files are all under `folder`.
    ///
    /// # Errors
    /// When this program cannot be started a second time.
    pub fn start(folder: &Path) -> Result<Self, GuardError> {
        let program = std::env::current_exe().map_err(GuardError::OwnFile)?;
        let mut child = Command::new(&program)
            .arg(COMMAND)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| GuardError::Start {
                program: program.display().to_string(),
                source,
            })?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        let pipe = child.stdin.take().ok_or_else(|| GuardError::Start {
            program: program.display().to_string(),
            source: io::Error::other("it has no standard input"),
        })?;
        Ok(Self { child, pipe, group })
    }

    /// The process group for `Command::process_group`.
    #[must_use]
    pub fn group(&self) -> i32 {
        self.group
    }

    /// Waits until somebody has ended the guard, and says how.
    pub async fn lost(&mut self) -> String {
        how(&self.child.wait().await)
    }

    /// Ends what is left in the group, the guard included. The run's folder is the caller's to remove, before.
    ///
    /// # Errors
    /// When the guard is no longer there to do it.
    pub async fn finish(mut self) -> io::Result<()> {
        self.pipe.write_all(&[CLEAN]).await?;
        drop(self.pipe);
        self.child.wait().await.map(drop)
    }
}

/// What the guard process does: waits for the runner to end, then ends the group and removes `folder`.
///
/// # Errors
/// When the signals that must not end the guard cannot be caught.
pub fn keep(folder: &Path) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    let _caught = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    let mut said = Vec::new();
    let heard = io::stdin().read_to_end(&mut said);
    if heard.is_err() || said.last() != Some(&CLEAN) {
        match kill_process_group(getpgrp(), Signal::TERM) {
            Ok(()) => std::thread::sleep(GRACE),
            Err(error) => say(&format!("cannot end what the runner left: {error}")),
        }
        if let Err(error) = remove(folder) {
            say(&with_cause(&error));
        }
    }
    Ok(kill_process_group(getpgrp(), Signal::KILL)?)
}

/// Tells whoever still reads: the runner that did is gone.
fn say(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
