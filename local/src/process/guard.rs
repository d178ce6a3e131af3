//! The guard: a second process of this program that clears up when the first one cannot.
//!
//! Every function and every compiler runs in the guard's process group. The runner holds the guard's standard input
//! open; the kernel closes it when the runner ends, however it ends, `kill -9` included. From then on the guard ends
//! the group, SIGTERM first and SIGKILL after `GRACE`, and only when nothing of it is left removes the run's folder. No
//! process has to be told of another one, and a process that a function started itself is in the group as well.
//!
//! What it cannot end: a process that has left the group (`setsid`, a shell with job control). What it cannot do: outlive
//! its own SIGKILL. So it goes by a name of its own: `killall openfaas-local` ends the runner and leaves the guard to its
//! work. With both killed at once functions run on; nothing short of that leaves any.

use std::{
    fs,
    io::{self, Read, Write},
    path::PathBuf,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use clap::Args;
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process, kill_process_group};
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

/// What the guard is called in a list of processes.
const NAME: &str = "openfaas-guard";

/// What the runner writes before it closes the pipe when it has cleared up itself.
const CLEAN: u8 = b'.';

/// What the processes of a runner that was killed are given between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

/// How often the guard looks whether something is left after SIGKILL, and how long it waits each time.
const LOOKS: usize = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What the guard is to clear up.
#[derive(Clone, Debug, Args)]
pub struct Leavings {
    /// The file that says the runner is ready, if one was asked for.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// The folder of its run.
    pub folder: PathBuf,
}

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
    /// Starts the guard of a run that would leave `leavings`.
    ///
    /// # Errors
    /// When this program cannot be started a second time.
    pub fn start(leavings: &Leavings) -> Result<Self, GuardError> {
        let program = std::env::current_exe().map_err(GuardError::OwnFile)?;
        let mut command = Command::new(&program);
        command.arg0(NAME).arg(COMMAND);
        if let Some(file) = &leavings.ready_file {
            command.arg("--ready-file").arg(file);
        }
        let mut child = command
            .arg(&leavings.folder)
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

/// What the guard process does: waits for the runner to end, then ends the group and removes what is left.
///
/// # Errors
/// When the signals that must not end the guard cannot be caught.
pub fn keep(leavings: &Leavings) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _entered = runtime.enter();
    let _caught = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ];
    // It does its work under any name.
    let _ = rustix::thread::set_name(c"openfaas-guard");
    let mut said = Vec::new();
    let heard = io::stdin().read_to_end(&mut said);
    if heard.is_err() || said.last() != Some(&CLEAN) {
        clear_up(leavings);
    }
    Ok(kill_process_group(getpgrp(), Signal::KILL)?)
}

fn clear_up(leavings: &Leavings) {
    // Before anybody can wait for the next runner's.
    if let Some(file) = &leavings.ready_file
        && let Err(error) = fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        say(&format!("cannot remove {}: {error}", file.display()));
    }
    match kill_process_group(getpgrp(), Signal::TERM) {
        Ok(()) => sleep(GRACE),
        Err(error) => say(&format!("cannot end what the runner left: {error}")),
    }
    let mut removed = Ok(());
    for _ in 0..LOOKS {
        let others = others(getpgrp());
        for other in &others {
            // One that is gone by now is what this is for.
            let _ = kill_process(*other, Signal::KILL);
        }
        if others.is_empty() {
            removed = remove(&leavings.folder);
            if removed.is_ok() {
                return;
            }
        }
        sleep(BETWEEN_LOOKS);
    }
    if let Err(error) = removed.and_then(|()| remove(&leavings.folder)) {
        say(&with_cause(&error));
    }
}

/// The other processes of a group that still run. None where the system has no `/proc`: SIGKILL for the whole group
/// comes last then.
fn others(group: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in parentheses, may hold anything; after it come state, parent and group.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let ends = matches!(fields.next()?, "Z" | "X");
        let its_group: i32 = fields.nth(1)?.parse().ok()?;
        (its_group == group.as_raw_nonzero().get() && !ends).then(|| Pid::from_raw(id))?
    });
    ids.filter(|id| *id != getpid()).collect()
}

/// Tells whoever still reads: the runner that did is gone.
fn say(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
