//! The README and the guide to events, followed in a copy of this repository; and that no block of commands is left out.

use std::fs;
use std::path::Path;

use openfaas_tests::guide::{Reader, blocks};
use openfaas_tests::handler::{compiling, copy_tree_of_git};
use openfaas_tests::runner::{free_port, program};
use openfaas_tests::tools::{needed, repository};

/// The documents that a test follows from beginning to end.
const FOLLOWED: [&str; 5] = [
    "README.md",
    "docs/events.md",
    "docs/getting-started.md",
    "docs/keda.md",
    "docs/testing.md",
];

/// Commands that a document shows and no test types, and why.
const SHOWN: [(&str, &str); 13] = [
    ("cargo xtask ", "it runs this very test"),
    (
        "cargo run -- try",
        "where it is only shown: the README runs it",
    ),
    (
        "cargo install --path local",
        "tests have the runner on PATH without it",
    ),
    (
        "cargo test --package openfaas-tests",
        "it is one of these tests",
    ),
    (
        "cargo run -p openfaas-delivery --example simulate",
        "a test plays the same histories",
    ),
    (
        "cargo install --path operator",
        "the guide's test has it on PATH without it",
    ),
    ("kubectl ", "it needs a cluster of the reader's own"),
    ("faas-cli up", "it needs a registry and a cluster"),
    ("nats ", "it needs a server of the reader's own"),
    (
        "cargo build --release --features ",
        "the tests of doors build functions with features, without optimisation",
    ),
    (
        "cargo build --release --package openfaas-connector",
        "tests build it without optimisation",
    ),
    (
        "openfaas-connector ",
        "its tests run it with servers of their own",
    ),
    (
        "broker_host",
        "the connector's tests start it on ports of their own",
    ),
];

#[test]
fn whoever_reads_the_readme_sees_what_it_says() {
    let _compiling = compiling();
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(folder.path());
    if needed(
        "faas-cli",
        "the README's block that makes a function with it",
    )
    .is_none()
    {
        reader = reader.without("faas-cli").without("greet");
    }
    reader.follow("README.md");
}

#[test]
fn the_guide_to_events_sends_what_it_says() {
    let _compiling = compiling();
    let folder = tempfile::tempdir().unwrap();
    reader(folder.path()).follow("docs/events.md");
}

#[test]
fn no_block_of_commands_is_left_out() {
    for path in documents() {
        let markdown = fs::read_to_string(repository().join(&path)).unwrap();
        let purposes = blocks(&markdown);
        let commands = purposes
            .iter()
            .any(|block| ["run", "start"].contains(&block.purpose.as_str()));
        assert!(
            !commands || FOLLOWED.contains(&path.as_str()),
            "{path} has commands to run, and no test follows it"
        );
        for command in commands_that_are_only_shown(&markdown) {
            assert!(
                SHOWN.iter().any(|(shown, _)| command.starts_with(shown)),
                "{path}: `{command}` is run by no test: make its block `sh run`, or say here why not"
            );
        }
    }
}

/// Somebody in a copy of this repository, with the runner for `cargo run` and a port of their own.
fn reader(folder: &Path) -> Reader {
    copy_tree_of_git(folder).unwrap();
    let port = free_port().to_string();
    let runner = program().parent().unwrap().display();
    let build = repository().join("target/copies");
    Reader::new(folder)
        .with(
            "PATH",
            format!("{runner}:{}", std::env::var("PATH").unwrap()),
        )
        .with("CARGO_BUILD_BUILD_DIR", build.to_str().unwrap())
        .with("OPENFAAS_URL", format!("http://127.0.0.1:{port}"))
        .replacing("127.0.0.1:8080", format!("127.0.0.1:{port}"))
        .replacing("cargo run --", "openfaas-local")
        .replacing(
            "cargo run\n",
            format!("openfaas-local --listen 127.0.0.1:{port}\n"),
        )
}

/// The Markdown files of the root and of docs/.
fn documents() -> Vec<String> {
    let of = |folder: &'static str| {
        let entries = fs::read_dir(repository().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.ends_with(".md"))
            .map(move |name| format!("{folder}{name}"))
    };
    of("").chain(of("docs/")).collect()
}

/// The first line of each command of the blocks that are plain `sh`.
fn commands_that_are_only_shown(markdown: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = markdown.lines();
    while lines.any(|line| line == "```sh") {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let mut goes_on = false;
        for line in block {
            let begins = !goes_on
                && !line.is_empty()
                && !line.starts_with(['#', ' '])
                && !line.starts_with("export ");
            goes_on = line.ends_with('\\');
            if begins {
                commands.push(line.to_owned());
            }
        }
    }
    commands
}

#[test]
fn a_command_over_two_lines_is_one() {
    let markdown = "```sh\ncurl a \\\n  -d b\ncurl c\n```\n```sh run\ncurl d\n```\n";
    assert_eq!(
        commands_that_are_only_shown(markdown),
        ["curl a \\", "curl c"]
    );
}
