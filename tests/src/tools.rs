//! Programs of others that tests drive where they are installed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The root of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies one folder below the root")
}

/// The program of that name, where `cargo xtask setup` has put it or PATH has it.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = repository().join("target/tools/bin");
    std::iter::once(installed)
        .chain(std::env::split_paths(&path))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The program of that name; where PATH has none, one line says which test was not run for want of it.
///
/// The line goes to stderr past the test harness, which keeps what a passing test prints to itself.
pub fn needed(program: &str, test: &str) -> Option<PathBuf> {
    let found = on_path(program);
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "not run: {test}: {program} is not on PATH"
        );
    }
    found
}

/// The program of a crate of this repository that is called as the crate is, built first where it is not.
///
/// # Panics
/// Where it cannot be built.
pub fn built(package: &str) -> PathBuf {
    built_program(package, package)
}

/// A program of a crate of this repository, built first where it is not, with the profile of the caller.
///
/// # Panics
/// Where it cannot be built.
pub fn built_program(package: &str, program: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(repository())
        .args(["build", "--package", package]);
    cargo.args(["--bin", program, "--message-format=json"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    executable(&mut cargo)
}

/// The program that this command of cargo builds, which prints its messages as JSON.
///
/// # Panics
/// Where it cannot be built.
pub fn executable(cargo: &mut Command) -> PathBuf {
    let messages = run(cargo);
    let programs = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    programs
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .expect("cargo names the program")
}

/// Runs a command to its end with `input` as its standard input.
///
/// # Panics
/// Where it cannot be started.
pub fn feed(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("a child")
}

/// Runs a command to its end and gives back what it wrote to stdout.
///
/// # Panics
/// Where it cannot be started or fails; the message holds all that it wrote.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}
