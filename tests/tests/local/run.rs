//! The local runner as a process among processes: what it starts, and what it leaves.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use openfaas_tests::conversation::Conversation;
use openfaas_tests::runner::{Runner, is_alive, kill, program, until};
use rustix::process::Signal;

use crate::packages::{package, stack};
use crate::probe::{STACK, runner, runner_of};

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
    let stack = STACK.replace("greeting: hello", "refuses_to_start: yes");
    let runner = runner_of(&stack, &[]);
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
    assert!(!runner.folder().join("ready.json").exists());
}

#[tokio::test]
async fn the_guard_bears_another_name_than_the_runner() {
    let runner = runner();
    let guard = guard_of(&folder_of_run(&runner).await);
    until("it has its name", async || {
        let name = fs::read_to_string(format!("/proc/{guard}/comm")).unwrap();
        (name == "openfaas-guard\n").then_some(())
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
async fn a_second_signal_does_not_wait() {
    let mut runner = runner();
    let function = id_of_function(&runner).await;
    let mut call = Conversation::begin(&runner, "/function/probe/stream", "inside").await;
    assert_eq!(call.heard().await, Some("inside".into()));
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
}

#[tokio::test]
async fn a_folder_that_cannot_be_removed_is_said_once() {
    let mut runner = runner();
    let folder = folder_of_run(&runner).await;
    let occupied = folder.join("tmp/probe-1").display().to_string();
    assert_eq!(runner.post("/function/probe/occupy", "").await.0, 200);
    runner.signal(Signal::TERM);
    assert_eq!(runner.wait(), Some(0));
    let output = runner.output();
    let said = format!("probe cannot remove {occupied}: ");
    assert_eq!(output.matches(&said).count(), 1, "{output}");
    assert!(!folder.exists(), "it goes with the folder of the run");
}

#[tokio::test]
async fn a_runner_whose_guard_is_ended_says_so_and_leaves_nothing() {
    let mut runner = runner();
    let (function, folder) = (id_of_function(&runner).await, folder_of_run(&runner).await);
    kill(guard_of(&folder), Signal::KILL);
    assert_eq!(runner.wait(), Some(0));
    let output = runner.output();
    for said in [
        "clears up after this one was ended by signal 9",
        "the process that ends it is gone",
    ] {
        assert_eq!(output.matches(said).count(), 1, "{said}: {output}");
    }
    assert!(!is_alive(function) && !folder.exists());
}

/// The process that clears up after the run of that folder.
fn guard_of(folder: &Path) -> u32 {
    let is_guard = |entry: &fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let end = format!("\0{}\0", folder.display());
        line.ends_with(end.as_bytes())
    };
    let found = fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .find(is_guard);
    let name = found.expect("a guard").file_name();
    name.to_str().unwrap().parse().unwrap()
}
