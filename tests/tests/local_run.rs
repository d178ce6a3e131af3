//! The local runner as a process among processes: what it starts, and what it leaves.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use openfaas_tests::runner::{PATIENCE, Runner, is_alive, kill, program, until};
use rustix::process::Signal;

const STACK: &str = "
  probe:
    lang: rust-otlp
    handler: ./probe
    image: probe:1
";

fn runner() -> Runner {
    let binary = format!("probe={}", env!("CARGO_BIN_EXE_local-fixture"));
    Runner::start(STACK, &["--binary", &binary])
}

async fn id_of_function(runner: &Runner) -> u32 {
    runner.get("/function/probe/pid").await.1.parse().unwrap()
}

/// The folder of a run, from the environment of one of its functions.
async fn folder_of_run(runner: &Runner) -> std::path::PathBuf {
    let environment = runner.json("/function/probe/env").await;
    Path::new(environment["TMPDIR"].as_str().unwrap())
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_function_that_dies_is_started_again() {
    let runner = runner();
    let before = id_of_function(&runner).await;
    kill(before, Signal::KILL);
    let after = until("another process", async || {
        let (status, id) = runner.get("/function/probe/pid").await;
        (status == 200).then_some(id)
    })
    .await;
    assert_ne!(after, before.to_string());
    assert!(
        runner
            .output()
            .contains("was ended by signal 9; started again in 50ms"),
        "{}",
        runner.output()
    );
}

#[tokio::test]
async fn one_that_cannot_live_is_started_again_ever_more_slowly() {
    let stack = format!("{STACK}    environment:\n      refuses_to_start: yes\n");
    let binary = format!("probe={}", env!("CARGO_BIN_EXE_local-fixture"));
    let runner = Runner::start(&stack, &["--binary", &binary]);
    assert_eq!(
        runner.ready["functions"]["probe"],
        "does not become ready, see above"
    );
    until("three deaths", async || {
        runner
            .output()
            .contains("exited with code 7; started again in 200ms")
            .then_some(())
    })
    .await;
    assert_eq!(runner.get("/function/probe/x").await.0, 503);
}

#[tokio::test]
async fn a_signal_drains_and_nothing_is_left() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut runner = runner();
        let (function, folder) = (id_of_function(&runner).await, folder_of_run(&runner).await);
        assert!(is_alive(function) && folder.is_dir());
        let (status, _) = runner.post("/async-function/probe/slow/400", "").await;
        assert_eq!(status, 202);
        runner.signal(signal);
        assert_eq!(runner.wait(), Some(0), "{}", runner.output());
        assert!(!is_alive(function));
        assert!(!folder.exists());
        assert!(!runner.folder().join("ready.json").exists());
    }
}

#[tokio::test]
async fn nothing_is_left_when_the_runner_is_killed() {
    let mut runner = runner();
    let (function, folder) = (id_of_function(&runner).await, folder_of_run(&runner).await);
    runner.signal(Signal::KILL);
    runner.wait();
    until("nothing is left", async || {
        (!is_alive(function) && !folder.exists()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_when_it_is_killed_while_it_compiles() {
    let folder = tempfile::tempdir().unwrap();
    package(folder.path(), "slow", "fn main() {}");
    // A build script that tells its process id and stays: what a long compilation looks like from outside.
    let script = "fn main() { std::fs::write(\"../id\", std::process::id().to_string()).unwrap(); \
        std::thread::sleep(std::time::Duration::from_secs(600)); }";
    fs::write(folder.path().join("slow/build.rs"), script).unwrap();
    stack(folder.path(), &["slow"]);
    let mut runner = Command::new(program())
        .current_dir(folder.path())
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let id = until("the build script runs", async || {
        fs::read_to_string(folder.path().join("id"))
            .ok()
            .and_then(|id| id.parse::<u32>().ok())
    })
    .await;
    kill(runner.id(), Signal::KILL);
    runner.wait().unwrap();
    until("the build script is gone", async || {
        (!is_alive(id)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_function_that_does_not_compile_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    package(
        folder.path(),
        "broken",
        "fn main() { let n: u32 = \"four\"; }",
    );
    package(folder.path(), "works", SERVER);
    stack(folder.path(), &["broken", "works"]);
    let runner = Runner::start_in(folder, &[]);
    assert_eq!(runner.ready["functions"]["works"], "ready");
    assert_eq!(runner.ready["functions"]["broken"], "does not compile");
    assert_eq!(
        runner.get("/function/works").await,
        (200, "it works".to_owned())
    );
    assert_eq!(runner.get("/function/broken").await.0, 404);
    let output = runner.output();
    assert_eq!(output.matches("error[E0308]").count(), 1, "{output}");
    assert!(
        !output.contains('\u{1b}'),
        "no colours without a terminal: {output}"
    );
    let row = |name: &str| {
        output
            .lines()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
            .unwrap()
    };
    assert!(
        row("works ").contains("ready") && row("works ").contains("/function/works"),
        "{output}"
    );
    assert!(row("broken ").contains("failed"), "{output}");
}

#[tokio::test]
async fn a_function_that_is_only_an_image_is_said_to_be_one() {
    let runner = Runner::start(
        "\n  figlet:\n    skip_build: true\n    image: figlet:latest\n",
        &[],
    );
    let why = runner.ready["functions"]["figlet"].as_str().unwrap();
    assert!(
        why.contains("figlet:latest") && why.contains("--binary"),
        "{why}"
    );
}

#[test]
fn what_cannot_be_run_is_one_sentence_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let output = Command::new(program())
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&[]).contains("stack.yml"));
    fs::write(
        folder.path().join("stack.yml"),
        format!("provider: {{name: openfaas}}\nfunctions:{STACK}"),
    )
    .unwrap();
    let everywhere = refused(&["--listen", "0.0.0.0:0"]);
    assert!(everywhere.contains("--basic-auth-password"), "{everywhere}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = refused(&["--listen", &address]);
    assert!(
        busy.contains(&address) && busy.contains("--listen 127.0.0.1:0"),
        "{busy}"
    );
    let nobody = refused(&["--listen", "127.0.0.1:0", "--binary", "nobody=/bin/true"]);
    assert!(
        nobody.contains("nobody") && nobody.contains("stack.yml"),
        "{nobody}"
    );
    let wrong = format!(
        "provider: {{name: openfaas}}\nfunctions:{STACK}    annotations: {{topic: t, events.order: x}}\n"
    );
    fs::write(folder.path().join("stack.yml"), wrong).unwrap();
    let wiring = refused(&["--listen", "127.0.0.1:0"]);
    assert!(
        wiring.contains("events.order") && wiring.contains("stack.yml:7:"),
        "{wiring}"
    );
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut runner = runner();
    let function = id_of_function(&runner).await;
    let gateway = runner.gateway.clone();
    let call = tokio::spawn(async move {
        let request = http::Request::get("/function/probe/slow/60000")
            .body(Default::default())
            .unwrap();
        openfaas_tests::runner::call(&gateway, request).await
    });
    until("the call is counted", async || {
        let count = runner.json("/system/function/probe").await["invocationCount"].as_u64();
        (count >= Some(2)).then_some(())
    })
    .await;
    runner.signal(Signal::TERM);
    until("it drains", async || {
        runner.output().contains("draining").then_some(())
    })
    .await;
    let began = Instant::now();
    runner.signal(Signal::TERM);
    runner.wait();
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    until("the function is gone", async || {
        (!is_alive(function)).then_some(())
    })
    .await;
    call.abort();
    assert!(began.elapsed() < PATIENCE);
}

/// A package without dependencies.
fn package(folder: &Path, name: &str, main: &str) {
    let folder = folder.join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest =
        "[package]\nname = \"function\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), main).unwrap();
}

/// A stack file with packages as functions.
fn stack(folder: &Path, names: &[&str]) {
    let function = |name: &&str| {
        format!("  {name}: {{lang: rust-otlp, handler: ./{name}, image: '{name}:1'}}\n")
    };
    let functions: String = names.iter().map(function).collect();
    fs::write(
        folder.join("stack.yml"),
        format!("provider: {{name: openfaas}}\nfunctions:\n{functions}"),
    )
    .unwrap();
}

/// The least that a function is: an HTTP server on `port`.
const SERVER: &str = r#"
use std::{io::{Read, Write}, net::TcpListener};

fn main() {
    let port: u16 = std::env::var("port").unwrap().parse().unwrap();
    for stream in TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nit works");
    }
}
"#;
