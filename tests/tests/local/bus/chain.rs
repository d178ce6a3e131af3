//! Three functions that pass events on, and the commands of a person who watches them.

use std::fs;
use std::path::Path;
use std::process::Command;

use openfaas_tests::runner::{Runner, program};
use serde_json::Value;

use crate::probe::fixture;

/// `first` passes on what comes to `a`; `second` and `picky` hang on what it replies.
const STACK: &str = "
  first:
    lang: rust-otlp
    handler: ./first
    image: first:1
    environment:
      ledger: LEDGER
    annotations:
      topic: a
      events.reply-topic: b
      com.openfaas.retry.attempts: 3
      com.openfaas.retry.min_wait: 10ms
      com.openfaas.retry.max_wait: 50ms
  second:
    lang: rust-otlp
    handler: ./second
    image: second:1
    environment:
      ledger: LEDGER
    annotations:
      topic: a b
      events.dead-letter-topic: graveyard
      com.openfaas.retry.attempts: 3
      com.openfaas.retry.min_wait: 10ms
      com.openfaas.retry.max_wait: 50ms
  picky:
    lang: rust-otlp
    handler: ./picky
    image: picky:1
    environment:
      ledger: LEDGER
    annotations:
      topic: b
      events.filter: type=wanted
";

pub(super) fn runner() -> Runner {
    runner_of(program(), &[])
}

/// The same by another program that is a runner, told more.
pub(super) fn runner_of(program: &Path, more: &[&str]) -> Runner {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger").display().to_string();
    let text = format!(
        "provider:\n  name: openfaas\nfunctions:{}",
        STACK.replace("LEDGER", &ledger)
    );
    fs::write(folder.path().join("stack.yml"), text).unwrap();
    let [first, second, picky] = ["first", "second", "picky"].map(fixture);
    let mut arguments = vec!["--binary", &first, "--binary", &second, "--binary", &picky];
    arguments.extend(more);
    Runner::start_program(program, folder, &arguments, &[])
}

/// A command that talks to `runner`.
pub(super) fn command(runner: &Runner, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .current_dir(runner.folder())
        .args(arguments)
        .args(["--gateway", &runner.gateway]);
    command
}

/// What a command writes, and its exit code.
pub(super) fn said(runner: &Runner, arguments: &[&str]) -> (String, Option<i32>) {
    let output = command(runner, arguments).output().unwrap();
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .concat();
    (text, output.status.code())
}

/// What `publish --wait --json` writes, and its exit code.
pub(super) fn followed(runner: &Runner, arguments: &[&str]) -> (Value, Option<i32>) {
    let (text, code) = said(
        runner,
        &[&["publish", "--wait", "--json"], arguments].concat(),
    );
    (
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")),
        code,
    )
}

/// The lines of the ledger: function and event id of each call that was done.
pub(super) fn ledger(runner: &Runner) -> Vec<String> {
    let text = fs::read_to_string(runner.folder().join("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// What a function made of the message at the root.
pub(super) fn visit<'a>(path: &'a Value, function: &str) -> &'a Value {
    let visits = path["functions"].as_array().unwrap();
    visits
        .iter()
        .find(|visit| visit["function"] == function)
        .unwrap_or_else(|| panic!("{function}: {path}"))
}
