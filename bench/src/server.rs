//! Servers under measurement: each a process of its own, started on a free port and gone when it is dropped.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::Error;

/// How long a server may take to answer its first call, also under valgrind.
const START: Duration = Duration::from_secs(30);

/// How long a server may take to leave after SIGTERM before it is killed.
const STOP: Duration = Duration::from_secs(20);

/// What is started: a program with its environment.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    /// The row's name in a table.
    pub(crate) name: &'static str,
    /// The program's file.
    pub(crate) program: PathBuf,
    /// What stands between the program and the system, such as valgrind with its options.
    pub(crate) wrapper: Vec<OsString>,
    /// Environment beside `port`, `metrics_port` and `TMPDIR`; nothing of ours is passed on but PATH.
    pub(crate) environment: Vec<(String, String)>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    port: u16,
    /// TMPDIR of the process, removed with it.
    _scratch: TempDir,
}

// === impl Contender ===

impl Contender {
    /// One of this crate's own servers, which lie beside the bench.
    pub(crate) fn own(name: &'static str, binary: &str) -> Result<Self, Error> {
        let bench = env::current_exe().map_err(|source| Error::Io {
            what: "finding this program",
            source,
        })?;
        Ok(Self {
            name,
            program: bench.with_file_name(binary),
            wrapper: Vec::new(),
            environment: Vec::new(),
        })
    }

    /// The same with one more variable in its environment.
    pub(crate) fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    /// Starts it and waits for its first 200.
    pub(crate) fn start(&self) -> Result<Server, Error> {
        let mut server = self.spawn()?;
        server.wait_for_200()?;
        Ok(server)
    }

    /// Starts it and does not wait. Its stderr is read to its end by a thread, as a container's is.
    pub(crate) fn spawn(&self) -> Result<Server, Error> {
        let port = free_port()?;
        let scratch = TempDir::new().map_err(|source| Error::Io {
            what: "making a temporary folder",
            source,
        })?;
        let mut words = self
            .wrapper
            .iter()
            .cloned()
            .chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .process_group(0)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", scratch.path())
            .env("port", port.to_string())
            .env("metrics_port", free_port()?.to_string())
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| Error::Start {
            program: self.program.display().to_string(),
            source,
        })?;
        if let Some(mut stderr) = child.stderr.take() {
            thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
        }
        Ok(Server {
            name: self.name,
            child,
            port,
            _scratch: scratch,
        })
    }
}

// === impl Server ===

impl Server {
    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks again and again, without a pause worth measuring, until it answers 200.
    pub(crate) fn wait_for_200(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        while started.elapsed() < START {
            if answers_200(self.port).unwrap_or(false) {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Error::Ended {
                    name: self.name.to_owned(),
                    status: status.to_string(),
                });
            }
            thread::sleep(Duration::from_micros(100));
        }
        Err(Error::NotReady {
            name: self.name.to_owned(),
            seconds: START.as_secs(),
        })
    }

    /// Sends SIGTERM and waits for its end; kills it past the bound.
    pub(crate) fn stop(mut self) {
        let asked = signal("-TERM", &self.pid().to_string());
        let deadline = Instant::now() + STOP;
        while asked && Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    /// Also ends what the server has started: they share a process group of their own.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal("-KILL", &format!("-{}", self.pid()));
        }
        let _ = self.child.wait();
    }
}

/// A port that nobody listened on a moment ago.
pub(crate) fn free_port() -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| Error::Io {
            what: "looking for a free port",
            source,
        })
}

fn signal(signal: &str, to: &str) -> bool {
    Command::new("kill")
        .args([signal, "--", to])
        .status()
        .is_ok_and(|status| status.success())
}

fn answers_200(port: u16) -> io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    connection.read_exact(&mut status)?;
    Ok(status.ends_with(b" 200"))
}
