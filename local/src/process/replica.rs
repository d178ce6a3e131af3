//! One process of a function: started, watched, started again when it ends, drained when it is no longer wanted.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    environment::Place,
    function::Desired,
    health,
    host::Host,
    leavings::{how, remove},
    logs::Origin,
    ports,
    table::{State, Table},
};
use crate::terminal::with_cause;

/// The wait before the first restart; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait before a restart.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Who was ready for so long starts again with the first wait.
const STEADY: Duration = Duration::from_secs(5);

/// What a function may take from SIGTERM to its end: its `drain_timeout` (25 s by default) and a little more.
const DRAIN: Duration = Duration::from_secs(28);

/// What is read of a process's output after its end; a process it left behind may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// One place that a process fills.
#[derive(Debug)]
pub(super) struct Replica {
    /// Its number, never used twice by one function.
    pub(super) number: u64,
    /// What is to run.
    pub(super) desired: Arc<Desired>,
    /// What everybody runs in.
    pub(super) host: Arc<Host>,
    /// Where its state is seen.
    pub(super) table: Table,
    /// When it is no longer wanted.
    pub(super) stop: CancellationToken,
}

/// How a process came to its end.
#[derive(Debug)]
enum End {
    /// It was told to.
    Stopped,
    /// It was not.
    Died {
        /// What there is to say about it.
        how: String,
        /// How long it had been ready.
        ready_for: Duration,
    },
}

impl Replica {
    /// Keeps a process running until it is told to stop; returns when the last one is gone.
    pub(super) async fn keep(self) {
        let mut deaths = 0;
        loop {
            let end = match self.start() {
                Ok((child, place, output)) => self.attend(child, &place, output).await,
                Err(error) => End::Died {
                    how: format!("cannot be started: {error}"),
                    ready_for: Duration::ZERO,
                },
            };
            let End::Died { how, ready_for } = end else {
                break;
            };
            let wait = wait_after(if ready_for >= STEADY { 0 } else { deaths });
            deaths = if ready_for >= STEADY { 1 } else { deaths + 1 };
            self.table.set(self.number, State::Waiting, None);
            self.note(&format!("{how}; started again in {wait:?}"));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                () = sleep(wait) => {}
            }
        }
        self.table.remove(self.number);
    }

    /// Starts a process on fresh ports, with a fresh folder for its temporary files.
    fn start(&self) -> io::Result<(Child, Place, JoinSet<()>)> {
        let Some(program) = &self.desired.program else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is not built"));
        };
        let spec = &self.desired.spec;
        let instance = format!("{}-{}", spec.service, self.number);
        let place = Place {
            port: ports::free()?,
            metrics_port: ports::free()?,
            temporary: self.host.folder.join("tmp").join(&instance),
            secrets: self
                .host
                .secrets
                .mount(&spec.service, &spec.secrets)
                .map_err(at(&self.host.folder))?,
            instance: instance.clone(),
        };
        std::fs::create_dir_all(&place.temporary).map_err(at(&place.temporary))?;
        let mut child = Command::new(program)
            .env_clear()
            .envs(self.host.common.of(spec, &self.desired.wiring, &place))
            .current_dir(&place.temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(self.host.group)
            .kill_on_drop(true)
            .spawn()
            .map_err(at(program))?;
        let origin = Origin {
            name: spec.service.as_str().into(),
            namespace: spec.namespace.as_str().into(),
            instance: instance.as_str().into(),
        };
        let mut output = JoinSet::new();
        output.spawn(
            self.host
                .logs
                .clone()
                .pump(origin.clone(), child.stdout.take().ok_or_else(no_pipe)?),
        );
        output.spawn(
            self.host
                .logs
                .clone()
                .pump(origin, child.stderr.take().ok_or_else(no_pipe)?),
        );
        self.table.set(self.number, State::Starting, child.id());
        Ok((child, place, output))
    }

    /// Tells a person about this function.
    fn note(&self, text: &str) {
        self.host.console.note(&self.desired.spec.service, text);
    }

    fn note_unless(&self, done: Result<(), String>) {
        if let Err(why) = done {
            self.note(&why);
        }
    }

    /// Stays with a process until its end, and clears up after it.
    async fn attend(&self, mut child: Child, place: &Place, mut output: JoinSet<()>) -> End {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
        let id = child.id();
        let mut ready_at = None;
        let ready = || {
            ready_at = Some(Instant::now());
            self.table.set(self.number, State::Ready(address), id);
        };
        let died = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            status = child.wait() => Some(how(&status)),
            wrong = health::watch(address, ready) => Some(wrong),
        };
        if died.is_none() {
            self.table.set(self.number, State::Leaving, id);
            self.note_unless(drain(&mut child).await);
        }
        let runs_on = child.id().is_some();
        if runs_on {
            let cannot = |error| format!("cannot be killed: {error}");
            self.note_unless(child.kill().await.map_err(cannot));
        }
        let read = async { while output.join_next().await.is_some() {} };
        if timeout(LAST_WORDS, read).await.is_err() {
            output.abort_all();
        }
        self.note_unless(remove(&place.temporary).map_err(|error| with_cause(&error)));
        match died {
            None => End::Stopped,
            Some(how) => End::Died {
                how,
                ready_for: ready_at.map_or(Duration::ZERO, |at| at.elapsed()),
            },
        }
    }
}

/// Sends SIGTERM and waits for the end. An error says why there is none.
async fn drain(child: &mut Child) -> Result<(), String> {
    let Some(id) = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) else {
        return Ok(());
    };
    kill_process(id, Signal::TERM).map_err(|error| format!("cannot be sent SIGTERM: {error}"))?;
    match timeout(DRAIN, child.wait()).await {
        Ok(ended) => ended.map(drop).map_err(|error| how(&Err(error))),
        Err(_) => Err(format!(
            "did not end within {} s of SIGTERM and was killed",
            DRAIN.as_secs()
        )),
    }
}

fn wait_after(deaths: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(deaths))
        .min(LONGEST_WAIT)
}

/// Puts before an error where it struck.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn no_pipe() -> io::Error {
    io::Error::other("its output cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_bound() {
        let waits: Vec<_> = (0..4)
            .map(|deaths| wait_after(deaths).as_millis())
            .collect();
        assert_eq!(waits, [50, 100, 200, 400]);
        assert_eq!(wait_after(40), LONGEST_WAIT);
    }
}
