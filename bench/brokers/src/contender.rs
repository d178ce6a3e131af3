//! What is measured, each a process of its own, gone when it is dropped.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::broker::Broker;
use crate::error::Error;

/// Of what it wrote, so much is shown where it fails.
const LAST_WORDS: usize = 2_000;

/// A program with its arguments and its whole environment.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    /// The row's name in a table.
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running one.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    /// TMPDIR of the process, and its log.
    folder: TempDir,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Seconds of CPU, its own and the system's for it.
    pub(crate) cpu: f64,
    /// Megabytes resident now …
    pub(crate) resident: f64,
    /// … and at most.
    pub(crate) peak: f64,
}

// === impl Contender ===

impl Contender {
    /// The client library alone.
    pub(crate) fn raw<B: Broker>(broker: &B, topic: &str, name: &str) -> Result<Self, Error> {
        let mut contender = Self::beside("raw client", "raw-client")?;
        contender.arguments = broker.raw(topic, name);
        Ok(contender)
    }

    /// The connector, in front of the gateway at `url`.
    pub(crate) fn connector<B: Broker>(broker: &B, url: &str) -> Result<Self, Error> {
        let mut contender = Self::beside("openfaas-connector", "openfaas-connector")?;
        contender.arguments = vec![B::NAME.to_owned()];
        contender.environment = broker.environment();
        Ok(contender
            .with("gateway_url", url)
            .with("metrics_port", "0")
            .with("rebuild_interval", "1s"))
    }

    /// A function that does nothing and takes a topic itself; its drain is short, since nothing routes to it.
    pub(crate) fn door<B: Broker>(broker: &B, function: &str, topic: &str) -> Result<Self, Error> {
        let mut contender = Self::beside("door", "noop_event")?;
        contender.environment = broker.environment();
        Ok(contender
            .with("OPENFAAS_NAME", function)
            .with("events_broker", B::NAME)
            .with("events_topic", topic)
            .with("events_dead_letter_topic", crate::broker::LETTERS)
            .with("request_log", "false")
            .with("drain_quiet", "0")
            .with("port", "0")
            .with("metrics_port", "0"))
    }

    /// The same with one more variable in its environment.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same under another name.
    pub(crate) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Any other program.
    pub(crate) fn program(
        name: &str,
        program: PathBuf,
        arguments: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            program,
            arguments: arguments.into_iter().collect(),
            environment: Vec::new(),
        }
    }

    /// A program that lies beside this one.
    fn beside(name: &str, program: &str) -> Result<Self, Error> {
        let bench = env::current_exe().map_err(|source| Error::Io {
            what: "finding this program",
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            program: bench.with_file_name(program),
            arguments: Vec::new(),
            environment: Vec::new(),
        })
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Result<Process, Error> {
        let failed = |source| Error::Io {
            what: "making a log",
            source,
        };
        let folder = TempDir::new().map_err(failed)?;
        let log = File::create(folder.path().join("log")).map_err(failed)?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(|source| Error::Start {
                program: self.program.display().to_string(),
                source,
            })?;
        Ok(Process {
            name: self.name.clone(),
            child,
            folder,
        })
    }
}

// === impl Process ===

impl Process {
    /// What it has used so far, from Linux's `/proc`.
    pub(crate) fn usage(&mut self) -> Result<Usage, Error> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.child.id());
            fs::read_to_string(path).unwrap_or_default()
        };
        let usage = Usage::read(&read("stat"), &read("status"));
        match (usage, self.child.try_wait()) {
            (Some(usage), Ok(None)) => Ok(usage),
            (_, ended) => Err(Error::Ended {
                name: self.name.clone(),
                status: format!("{ended:?}"),
                said: self.last_words(),
            }),
        }
    }

    /// The end of what it wrote.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let begin = log.len().saturating_sub(LAST_WORDS);
        let begin = (begin..).find(|begin| log.is_char_boundary(*begin));
        log[begin.unwrap_or_default()..].to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Usage ===

impl Usage {
    /// From `/proc/PID/stat` and `/proc/PID/status`. Linux counts a hundred ticks a second for whoever asks it this way.
    fn read(stat: &str, status: &str) -> Option<Self> {
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks: Vec<f64> = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse().ok())
            .collect();
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kilobytes / 1024.0)
        };
        Some(Self {
            cpu: ticks.iter().sum::<f64>() / 100.0,
            resident: megabytes("VmRSS:")?,
            peak: megabytes("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn usage_is_found_behind_any_name() {
        let stat = "42 (a (b) c) S 1 77 77 0 -1 4194560 0 0 0 0 150 50 0 0 20 0 3 0";
        let status = "VmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n";
        let usage = Usage::read(stat, status).expect("a process");
        assert_eq!((usage.cpu, usage.resident, usage.peak), (2.0, 2.0, 4.0));
    }
}
