//! The fixture as a process, in our runtime or behind of-watchdog.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::wire::{Reply, Socket};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What speaks the contract.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The fixture in our runtime: its program.
    Runtime(PathBuf),
    /// of-watchdog's program, and the fixture's, which it starts as its child.
    Watchdog(PathBuf, PathBuf),
}

/// A subject that runs, on ports and in a folder of its own. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it is called.
    pub port: u16,
    /// Where its metrics are.
    pub metrics: u16,
    folder: TempDir,
    output: Arc<Mutex<Vec<String>>>,
}

impl Subject {
    /// Starts it with these variables and waits until it is healthy.
    ///
    /// # Panics
    /// When it ends before that.
    pub fn start(&self, environment: &[(&str, &str)]) -> Process {
        let mut process = self.launch(environment, &[]);
        process.wait_for("health", |process| {
            process
                .child
                .try_wait()
                .expect("a child that was not waited for")
                .is_some()
                || process
                    .try_get("/_/health")
                    .is_some_and(|reply| reply.status == 200)
        });
        assert!(process.is_running(), "it ended: {}", process.output());
        if let Self::Watchdog(..) = self {
            // It says that it is healthy before the server behind it listens.
            process.wait_for("the server behind it", |process| {
                process
                    .try_get("/status/200")
                    .is_some_and(|reply| reply.status == 200)
            });
        }
        process
    }

    /// Starts it with these variables and arguments, and does not wait for anything.
    pub fn launch(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Process {
        let folder = tempfile::tempdir().expect("a temp folder");
        let (port, metrics, behind) = (free_port(), free_port(), free_port());
        let mut command = match self {
            Self::Runtime(program) => Command::new(program),
            Self::Watchdog(program, _) => Command::new(program),
        };
        command
            .env_clear()
            .env("port", port.to_string())
            .env("TMPDIR", folder.path());
        let metrics = match self {
            Self::Runtime(_) => {
                command
                    .env("listen_address", "127.0.0.1")
                    .env("metrics_port", metrics.to_string());
                metrics
            }
            Self::Watchdog(_, fixture) => {
                command
                    .env("mode", "http")
                    .env("fprocess", fixture)
                    .env("upstream_url", format!("http://127.0.0.1:{behind}"))
                    .env("fixture_serves_on", behind.to_string());
                8081
            }
        };
        command.envs(environment.iter().copied()).args(arguments);
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = Arc::default();
        collect(child.stdout.take().expect("a pipe"), &output);
        collect(child.stderr.take().expect("a pipe"), &output);
        Process {
            child,
            port,
            metrics,
            folder,
            output,
        }
    }
}

impl Process {
    /// A new connection.
    pub fn connect(&self) -> Socket {
        Socket::connect(self.port).unwrap_or_else(|error| panic!("{error}: {}", self.output()))
    }

    /// Sends a GET on a connection of its own.
    pub fn get(&self, target: &str) -> Reply {
        self.call("GET", target, &[], "")
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Panics
    /// When no whole answer comes.
    pub fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut socket = self.connect();
        socket.send(request(method, target, headers, body));
        let reply = if method == "HEAD" {
            socket.head().map(|(status, headers)| Reply {
                status,
                headers,
                body: String::new(),
            })
        } else {
            socket.reply()
        };
        reply.unwrap_or_else(|| panic!("no answer to {method} {target}: {}", self.output()))
    }

    /// Sends a GET, if it can be sent, and reads the answer, if one comes.
    pub fn try_get(&self, target: &str) -> Option<Reply> {
        Socket::connect(self.port)
            .ok()?
            .send(request("GET", target, &[], ""))
            .reply()
    }

    /// What the metrics say now.
    pub fn metrics(&self) -> Reply {
        let mut socket = Socket::connect(self.metrics).expect("metrics are served");
        socket
            .send(request("GET", "/metrics", &[], ""))
            .reply()
            .expect("an answer of the metrics")
    }

    /// The value of a line of the metrics, such as `http_requests_in_flight`.
    pub fn metric(&self, line: &str) -> Option<f64> {
        let body = self.metrics().body;
        let mut lines = body.lines();
        lines.find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }

    /// The folder of its lock file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its lock file.
    pub fn lock(&self) -> PathBuf {
        self.folder().join(".lock")
    }

    /// All that it printed so far.
    pub fn output(&self) -> String {
        self.output
            .lock()
            .expect("nobody panics with it")
            .join("\n")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child that was not waited for")
            .is_none()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come.
    pub fn end(&mut self) -> ExitStatus {
        self.wait_for("the end", |process| !process.is_running());
        self.child.wait().expect("it has ended")
    }

    /// The code it ended with, within this time; `None` while it runs or after a signal.
    pub fn code_within(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child
            .try_wait()
            .expect("a child")
            .and_then(|status| status.code())
    }

    /// Waits until that is so.
    ///
    /// # Panics
    /// When it does not come to be.
    pub fn wait_for(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(
                Instant::now() < deadline,
                "never: {what}; it said: {}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // All of its group, for of-watchdog's child outlives its parent.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A request as bytes; a body brings its Content-Length.
fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: function\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request + "\r\n" + body
}

/// A port that nobody listened on just now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<Vec<String>>>) {
    let output = output.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            output.lock().expect("nobody panics with it").push(line);
        }
    });
}
