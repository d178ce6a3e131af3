//! The local runner as a process, and a client of its gateway.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::built;

/// How long a test waits for something that has to come.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running `openfaas-local` with a stack file of its own.
#[derive(Debug)]
pub struct Runner {
    /// The process.
    child: Child,
    /// The folder with the stack file.
    folder: TempDir,
    /// Its gateway.
    pub gateway: String,
    /// What its ready file said.
    pub ready: Value,
    /// What it wrote to stdout and stderr so far.
    output: Arc<Mutex<String>>,
}

/// The program `openfaas-local`, built at the first call.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("openfaas-local"))
}

/// A port that nobody listens on now, and that the system gives to nobody who asks for any: below 32768.
pub fn free_port() -> u16 {
    let first = 15_000 + u16::try_from(std::process::id() % 15_000).unwrap();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..32_768).find(free).unwrap()
}

impl Runner {
    /// Starts the functions of `stack`, the entries below `functions:`, and waits until they are ready.
    pub fn start(stack: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n{stack}");
        fs::write(folder.path().join("stack.yml"), text).unwrap();
        Self::start_in(folder, arguments)
    }

    /// Starts the functions of the stack file of `folder`, and waits until they are ready.
    pub fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        Self::start_with(folder, arguments, &[])
    }

    /// The same with variables beside those of this process.
    pub fn start_with(folder: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_program(program(), folder, arguments, environment)
    }

    /// The same of another program that is a runner.
    pub fn start_program(
        program: &Path,
        folder: TempDir,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let ready_file = folder.path().join("ready.json");
        let child = Command::new(program)
            .current_dir(folder.path())
            .args(["--listen", "127.0.0.1:0", "--ready-file", "ready.json"])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut runner = Self {
            child,
            folder,
            gateway: String::new(),
            ready: Value::Null,
            output: Arc::default(),
        };
        runner.collect_output();
        let deadline = Instant::now() + PATIENCE * 5;
        let ready = loop {
            let ready = fs::read(&ready_file)
                .ok()
                .and_then(|json| serde_json::from_slice::<Value>(&json).ok());
            if let Some(ready) = ready {
                break ready;
            }
            if runner.child.try_wait().unwrap().is_some() || Instant::now() > deadline {
                panic!("the runner is not ready:\n{}", runner.output());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        runner.gateway = ready["gateway"].as_str().unwrap().to_owned();
        runner.ready = ready;
        runner
    }

    fn collect_output(&mut self) {
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(self.child.stdout.take().unwrap()),
            Box::new(self.child.stderr.take().unwrap()),
        ];
        for stream in streams {
            let output = self.output.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    output.lock().unwrap().push_str(&format!("{line}\n"));
                }
            });
        }
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The folder with the stack file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.id(), signal);
    }

    /// Waits for its end and gives back its exit code; none after a signal.
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "the runner does not end:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Calls its gateway.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        call(&self.gateway, request).await
    }

    /// `GET path`, its status and body.
    pub async fn get(&self, path: &str) -> (u16, String) {
        self.send(Method::GET, path, "").await
    }

    /// `POST path`, its status and body.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> (u16, String) {
        self.send(Method::POST, path, body).await
    }

    /// Any method on `path`, its status and body.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<String>) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Bytes::from(body.into()))
            .unwrap();
        let response = self.call(request).await;
        (
            response.status().as_u16(),
            String::from_utf8_lossy(response.body()).into_owned(),
        )
    }

    /// `GET path`, read as JSON.
    pub async fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        serde_json::from_str(&body)
            .unwrap_or_else(|error| panic!("{path}: {status} {body}: {error}"))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!(
                "the runner of the test that failed wrote:\n{}",
                self.output()
            );
        }
    }
}

/// Calls the server at `base`; the request's URI is the path.
pub async fn call(base: &str, request: Request<Bytes>) -> Response<Bytes> {
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("{base}{}", parts.uri).parse().unwrap();
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http();
    let response = client
        .request(Request::from_parts(parts, Full::new(body)))
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// Sends a signal to a process.
pub fn kill(id: u32, signal: Signal) {
    let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
    // It may have ended by itself.
    let _ = kill_process(id, signal);
}

/// Whether there is a process of that id.
pub fn is_alive(id: u32) -> bool {
    // A process that ended and whose parent has not asked yet is no process any more.
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until `condition` gives something.
///
/// # Panics
/// When it gives nothing for too long; the message says what was waited for.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
