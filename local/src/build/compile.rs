//! One cargo run.

use std::{
    io,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use openfaas_stack::build::{Package, Profile};
use serde::Deserialize;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::said::Said;
use crate::terminal::{Colour, Console, duration};

/// How often the moving line of a terminal is drawn.
const MOVING: Duration = Duration::from_millis(200);

/// How often a line is printed where none can move.
const PLAIN: Duration = Duration::from_secs(15);

/// Builds functions, and shows what is going on.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Where it is shown.
    pub console: Console,
    /// The process group of cargo and all its compilers.
    pub group: i32,
    /// As it ships, or quick to compile.
    pub profile: Profile,
    /// What compilers said already.
    pub said: Arc<Mutex<Said>>,
}

/// Why a function has no program. What the compiler had to say is shown by then.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Cargo did not start.
    #[error("cargo cannot be started; install Rust from https://rustup.rs")]
    Start(#[source] io::Error),
    /// Cargo was lost.
    #[error("cargo's messages cannot be read")]
    Read(#[source] io::Error),
    /// Cargo failed.
    #[error("does not compile")]
    Failed,
    /// Cargo succeeded, and made no program.
    #[error("is a package without a program: it needs a src/main.rs")]
    NoProgram,
}

/// One line of cargo's messages, as much of it as matters.
#[derive(Deserialize)]
struct Message {
    /// What happened.
    reason: String,
    /// The program, if one is done.
    executable: Option<PathBuf>,
    /// Whether nothing had to be done.
    #[serde(default)]
    fresh: bool,
}

/// What cargo did.
#[derive(Default)]
struct Progress {
    /// How many crates are done.
    done: usize,
    /// How many of them had to be compiled.
    compiled: usize,
    /// The program.
    program: Option<PathBuf>,
}

impl Compiler {
    /// Builds one function.
    ///
    /// # Errors
    /// When it does not compile; what the compiler said is shown then, unless it was shown before.
    ///
    /// # Cancel safety
    /// Cargo is killed when the future is dropped.
    pub async fn build(&self, package: &Package) -> Result<PathBuf, BuildError> {
        let began = Instant::now();
        let mut cargo = Command::from(package.build(self.profile));
        cargo
            .env(
                "CARGO_TERM_COLOR",
                if self.console.style.coloured {
                    "always"
                } else {
                    "never"
                },
            )
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            .env("CARGO_TERM_QUIET", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(self.group)
            .kill_on_drop(true);
        let mut child = cargo.spawn().map_err(BuildError::Start)?;
        let mut errors = child.stderr.take().ok_or_else(lost)?;
        let mut said = String::new();
        let (progress, _) =
            tokio::try_join!(self.follow(&mut child, &package.name, began), async {
                errors
                    .read_to_string(&mut said)
                    .await
                    .map_err(BuildError::Read)
            })?;
        let status = child.wait().await.map_err(BuildError::Read)?;
        self.console.progress(None);
        if !status.success() {
            let said = self
                .said
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fresh(&said);
            if !said.is_empty() {
                self.console.line(said.trim_end());
            }
            return Err(BuildError::Failed);
        }
        let program = progress.program.ok_or(BuildError::NoProgram)?;
        self.tell_built(&package.name, progress.compiled, began);
        Ok(program)
    }

    async fn follow(
        &self,
        child: &mut Child,
        name: &str,
        began: Instant,
    ) -> Result<Progress, BuildError> {
        let period = if self.console.is_terminal() {
            MOVING
        } else {
            PLAIN
        };
        let mut ticks = interval_at(began + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(lost)?).lines();
        let mut progress = Progress::default();
        loop {
            tokio::select! {
                biased;
                line = lines.next_line() => match line.map_err(BuildError::Read)? {
                    Some(line) => progress.take(&line),
                    None => return Ok(progress),
                },
                _ = ticks.tick() => self.tell(name, &progress, began),
            }
        }
    }

    fn tell(&self, name: &str, progress: &Progress, began: Instant) {
        let style = self.console.style;
        let figures = format!("{} crates, {}", progress.done, duration(began.elapsed()));
        let line = format!(
            "building {} {}",
            style.name(name),
            style.paint(Colour::Dim, &figures)
        );
        if self.console.is_terminal() {
            self.console.progress(Some(line));
        } else {
            self.console.line(&line);
        }
    }

    fn tell_built(&self, name: &str, compiled: usize, began: Instant) {
        let style = self.console.style;
        let figures = match compiled {
            0 => "up to date".to_owned(),
            1 => format!("1 crate in {}", duration(began.elapsed())),
            _ => format!("{compiled} crates in {}", duration(began.elapsed())),
        };
        self.console.line(&format!(
            "built    {} {}",
            style.name(name),
            style.paint(Colour::Dim, &figures)
        ));
    }
}

impl Progress {
    fn take(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            return;
        };
        if message.reason == "compiler-artifact" {
            self.done += 1;
            self.compiled += usize::from(!message.fresh);
            self.program = message.executable.or(self.program.take());
        }
    }
}

fn lost() -> BuildError {
    BuildError::Read(io::Error::other("cargo has no output"))
}
