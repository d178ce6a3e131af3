//! A function as a process of its own: flags, environment, signals, exit codes.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use openfaas_runtime::Function;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Set for a process that is not the tests but the function they look at.
const AS_A_FUNCTION: &str = "AS_A_FUNCTION";

/// This very program, as a function.
fn function() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["as_a_function", "--exact", "--nocapture", "--"])
        .env_clear();
    command
        .env(AS_A_FUNCTION, "yes")
        .env("listen_address", "127.0.0.1");
    command.env("port", "0").env("metrics_port", "0");
    command
}

/// What `main` of a function does, when this is one.
#[test]
#[expect(clippy::disallowed_methods, reason = "stands for the end of `main`")]
fn as_a_function() {
    if env::var_os(AS_A_FUNCTION).is_none() {
        return;
    }
    // Whoever reads what it says reads its end at last, whatever happens.
    std::thread::spawn(|| {
        std::thread::sleep(2 * PATIENCE);
        std::process::exit(3);
    });
    if let Err(error) = Function::http(async || "Hello, World!").run() {
        eprintln!("Error: {error:?}");
        std::process::exit(1);
    }
}

/// A function that runs, and what it says.
struct Process {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    said: String,
    tmp: TempDir,
}

impl Process {
    fn start(pairs: &[(&str, &str)]) -> Process {
        let tmp = tempfile::tempdir().unwrap();
        let mut command = function();
        command
            .env("TMPDIR", tmp.path())
            .envs(pairs.iter().copied())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Process {
            child,
            log,
            said: String::new(),
            tmp,
        }
    }

    /// Reads on until a line has these words, and returns what follows them.
    fn says(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.log.read_line(&mut line).unwrap() > 0,
                "it never said {words:?}: {}",
                self.said
            );
            self.said.push_str(&line);
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
        }
    }

    fn port(&mut self) -> u16 {
        let rest = self.says("Listening on port: ");
        let digits = rest
            .find(|byte: char| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..digits].parse().unwrap()
    }

    fn lock(&self) -> PathBuf {
        self.tmp.path().join(".lock")
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Its exit code, and all it said.
    fn ends(mut self) -> (Option<i32>, String) {
        self.log.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), std::mem::take(&mut self.said))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(port: u16, path: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: f\r\nconnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn run(pairs: &[(&str, &str)], arguments: &[&str]) -> Output {
    function()
        .envs(pairs.iter().copied())
        .args(arguments)
        .output()
        .unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn both_signals_drain_take_the_lock_away_and_exit_0() {
    for signal in ["TERM", "INT"] {
        let mut process = Process::start(&[("drain_quiet", "0")]);
        let port = process.port();
        let lock = process.lock();
        until("the lock file", || lock.exists());
        assert!(get(port, "/_/health", "").ends_with("OK"));
        assert!(get(port, "/", "").ends_with("Hello, World!"));
        process.signal(signal);
        let (code, said) = process.ends();
        assert_eq!(code, Some(0), "{said}");
        assert!(!lock.exists());
        assert!(said.contains("Exiting. Active connections: 0"), "{said}");
    }
}

#[test]
fn deleting_the_lock_file_from_outside_is_heard_and_so_is_writing_it_again() {
    let mut process = Process::start(&[]);
    let port = process.port();
    let lock = process.lock();
    until("the lock file", || lock.exists());
    std::fs::remove_file(&lock).unwrap();
    for path in ["/_/health", "/_/ready"] {
        assert!(get(port, path, "").starts_with("HTTP/1.1 503 "), "{path}");
    }
    assert!(get(port, "/", "").starts_with("HTTP/1.1 200 "));
    std::fs::write(&lock, "").unwrap();
    assert!(get(port, "/_/health", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn without_a_lock_file_health_is_still_well() {
    let mut suppressed = Process::start(&[("suppress_lock", "true")]);
    let port = suppressed.port();
    until("health", || {
        get(port, "/_/health", "").starts_with("HTTP/1.1 200 ")
    });
    assert!(!suppressed.lock().exists());

    let file = tempfile::NamedTempFile::new().unwrap();
    let mut unwritable = Process::start(&[("TMPDIR", file.path().to_str().unwrap())]);
    let port = unwritable.port();
    unwritable.says("no lock file at ");
    assert!(get(port, "/_/health", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn run_healthcheck_looks_for_the_lock_file_and_version_says_which() {
    let tmp = tempfile::tempdir().unwrap();
    let here = [("TMPDIR", tmp.path().to_str().unwrap())];
    for flag in ["-run-healthcheck", "--run-healthcheck"] {
        assert!(refusal(&run(&here, &[flag])).contains("unable to find lock file."));
    }
    std::fs::write(tmp.path().join(".lock"), "").unwrap();
    assert!(run(&here, &["-run-healthcheck"]).status.success());
    let version = run(&[], &["-version"]);
    assert!(version.status.success());
    assert!(
        String::from_utf8(version.stdout)
            .unwrap()
            .contains("Version: ")
    );
}

#[test]
fn run_healthcheck_asks_the_process_where_there_is_no_lock_file() {
    let tmp = tempfile::tempdir().unwrap();
    let file = tmp.path().join("file");
    std::fs::write(&file, "").unwrap();
    for pair in [
        ("suppress_lock", "true"),
        ("TMPDIR", file.to_str().unwrap()),
    ] {
        let mut process = Process::start(&[pair]);
        let port = process.port().to_string();
        let environment = [pair, ("port", &port)];
        let well = || run(&environment, &["-run-healthcheck"]).status.success();
        let deadline = Instant::now() + PATIENCE;
        while !well() {
            assert!(Instant::now() < deadline, "{pair:?}: never healthy");
        }
        process.signal("KILL");
        process.ends();
        assert!(!well(), "{pair:?}: nobody is there");
    }
}

#[test]
fn a_bad_environment_is_one_sentence_and_exit_code_1_before_anything_listens() {
    for (key, value, words) in [
        (
            "port",
            "abc",
            "port=abc is not right: it must be a port from 0 to 65535",
        ),
        ("exec_timeout", "soon", "exec_timeout=soon is not right"),
        ("jwt_auth", "true", "jwt_auth=true cannot be kept"),
        ("log_format", "xml", "log_format=xml"),
        (
            "OTEL_TRACES_SAMPLER",
            "sometimes",
            "OTEL_TRACES_SAMPLER=sometimes",
        ),
    ] {
        let said = refusal(&run(&[(key, value)], &[]));
        assert!(said.contains(words), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = refusal(&run(&[("metrics_port", &port)], &[]));
    assert!(
        said.contains(&format!("cannot listen on metrics port {port}")),
        "{said}"
    );
    let said = refusal(&run(&[("port", &port)], &[]));
    assert!(
        said.contains(&format!("cannot listen on port {port}")),
        "{said}"
    );
}

#[test]
fn each_call_is_a_line_except_a_probes_and_none_with_request_log_off() {
    let mut process = Process::start(&[("drain_quiet", "0"), ("log_format", "json")]);
    let port = process.port();
    get(port, "/seen", "x-call-id: call-7\r\n");
    get(port, "/probed", "user-agent: kube-probe/1.31\r\n");
    get(port, "/_/health", "");
    process.signal("TERM");
    let (_, said) = process.ends();
    let seen = said
        .lines()
        .find(|line| line.contains("/seen"))
        .unwrap_or_else(|| panic!("{said}"));
    assert!(seen.contains("call-7"), "{seen}");
    assert!(
        !said.contains("/probed") && !said.contains("/_/health"),
        "{said}"
    );

    let mut quiet = Process::start(&[("drain_quiet", "0"), ("request_log", "false")]);
    let port = quiet.port();
    get(port, "/unseen", "");
    quiet.signal("TERM");
    assert!(!quiet.ends().1.contains("/unseen"));
}
