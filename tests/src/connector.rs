//! The connector as a process, and a gateway whose functions do as they are told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::runner::{self, PATIENCE};
use crate::tools::built;

/// A running connector.
#[derive(Debug)]
pub struct Connector {
    child: Child,
    output: Arc<Mutex<String>>,
    /// Where health, readiness and metrics are.
    pub url: String,
}

/// What stands for an OpenFaaS gateway and all functions behind it. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Its URL.
    pub url: String,
    inner: Arc<Mutex<Inner>>,
    /// No function answers while this is so.
    held: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    functions: Vec<Value>,
    /// What `Authorization` has to say; anything, where it is empty.
    authorization: String,
    /// The list is not given.
    broken: bool,
    /// What it answers to who asks for the namespaces, where that is not the list of them.
    namespaces: Option<StatusCode>,
    calls: Vec<Call>,
    /// The next answers of a function, before it answers 204 again.
    answers: VecDeque<(StatusCode, &'static str)>,
}

/// A call as it reached a function.
#[derive(Debug, Clone)]
pub struct Call {
    /// `/function/NAME…`
    pub path: String,
    /// As they came.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Bytes,
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("openfaas-connector"))
}

/// A command of the connector that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// A command of the connector that has not been started. Nothing is at its terminal.
pub fn command(arguments: &[&str], environment: &[(&str, &str)]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a command of the connector to its end.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = command(arguments, environment).output();
    let output = tokio::time::timeout(PATIENCE, output).await;
    let output = output.expect("it ends").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

impl Connector {
    /// Starts one on `nats` or `kafka`, and waits until it says where it listens.
    pub async fn start(broker: &str, environment: &[(&str, &str)]) -> Self {
        let mut connector = Self::spawn(broker, environment);
        let line = "health, readiness and metrics on ";
        let found = async || {
            let output = connector.output();
            let rest = output.split_once(line)?.1.split_once('\n')?.0;
            let port = rest.rsplit(':').next()?;
            Some(format!("http://127.0.0.1:{}", port.trim_end_matches('"')))
        };
        let url = runner::until("the connector listens", found).await;
        connector.url = url;
        connector
    }

    /// Starts one that may end by itself.
    pub fn spawn(broker: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program())
            .arg(broker)
            .env_clear()
            .envs([("metrics_port", "0"), ("rebuild_interval", "50ms")])
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::<Mutex<String>>::default();
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&output));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self {
            child,
            output,
            url: String::new(),
        }
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Status and body of one of its own pages.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let request = http::Request::get(path).body(Bytes::new()).unwrap();
        let answer = runner::call(&self.url, request).await;
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        (answer.status().as_u16(), body)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        runner::kill(self.child.id(), signal);
    }

    /// Waits until it has ended; its exit code.
    pub async fn wait(&mut self) -> Option<i32> {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                std::time::Instant::now() < end,
                "it does not end:\n{}",
                self.output()
            );
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!(
                "the connector of the test that failed wrote:\n{}",
                self.output()
            );
        }
    }
}

impl Gateway {
    /// Starts one without functions.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            inner: Arc::default(),
            held: watch::Sender::new(false),
        };
        let router = Router::new().fallback(answer).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    /// Deploys a function, or changes its annotations.
    pub fn deploy(&self, name: &str, annotations: &[(&str, &str)]) {
        let annotations: serde_json::Map<_, _> = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let function = json!({
            "name": name, "namespace": "openfaas-fn", "image": "one", "annotations": annotations,
            "createdAt": "2026-01-01T00:00:00Z", "replicas": 1,
        });
        self.remove(name);
        self.inner().functions.push(function);
    }

    /// Removes a function.
    pub fn remove(&self, name: &str) {
        self.inner().functions.retain(|known| known["name"] != name);
    }

    /// Asks for a user and a password from now on.
    pub fn ask_for(&self, authorization: &str) {
        authorization.clone_into(&mut self.inner().authorization);
    }

    /// Lists no functions from now on, or does again.
    pub fn break_list(&self, broken: bool) {
        self.inner().broken = broken;
    }

    /// Answers like this to who asks for its namespaces.
    pub fn break_namespaces(&self, status: StatusCode) {
        self.inner().namespaces = Some(status);
    }

    /// The next answers, one for a call each.
    pub fn answer(&self, answers: &[(StatusCode, &'static str)]) {
        self.inner().answers.extend(answers);
    }

    /// Lets calls wait for their answer from now on, or gives it to all of them.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.inner().calls.clone()
    }

    /// Waits for so many calls.
    pub async fn until_called(&self, times: usize) -> Vec<Call> {
        let called = async || Some(self.calls()).filter(|calls| calls.len() >= times);
        runner::until(&format!("{times} calls"), called).await
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    if path.starts_with("/system/") {
        let inner = gateway.inner();
        let said = head.headers.get("authorization");
        let said = said.map_or("", |value| value.to_str().unwrap());
        return match path.as_str() {
            _ if !inner.authorization.is_empty() && said != inner.authorization => {
                (StatusCode::UNAUTHORIZED, "invalid credentials").into_response()
            }
            _ if inner.broken => (StatusCode::BAD_GATEWAY, "").into_response(),
            "/system/namespaces" => match inner.namespaces {
                Some(status) => (status, "").into_response(),
                None => axum::Json(json!(["openfaas-fn"])).into_response(),
            },
            _ => axum::Json(json!(inner.functions)).into_response(),
        };
    }
    if path.ends_with("/_/health") {
        return (StatusCode::OK, "OK").into_response();
    }
    gateway.inner().calls.push(Call {
        path,
        headers: head.headers,
        body,
    });
    let mut held = gateway.held.subscribe();
    held.wait_for(|held| !held).await.unwrap();
    let answer = gateway.inner().answers.pop_front();
    let (status, body) = answer.unwrap_or((StatusCode::NO_CONTENT, ""));
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let text = http::HeaderValue::from_static("text/plain");
    answer.headers_mut().insert("content-type", text);
    answer
}
