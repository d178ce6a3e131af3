//! `--broker`: the same commands, with topics on a real broker.

use std::path::Path;
use std::process::Command;

use openfaas_tests::runner::{Runner, program};
use openfaas_tests::tools::repository;
use openfaas_tests::{kafka, nats};
use serde_json::{Value, json};

use super::chain::{followed, runner_of, said, visit};

/// The runner with brokers built in.
fn on(url: &str) -> Runner {
    let program = Path::new(env!("CARGO_BIN_EXE_local-with-brokers"));
    runner_of(program, &["--broker", url])
}

#[tokio::test]
async fn topics_are_on_nats() {
    let server = nats::Server::start();
    let runner = on(&format!("nats://{}", server.address()));
    the_commands_say_the_same(&runner);
    let look = server.look().await;
    let stream = look.jetstream.get_stream("A").await.unwrap();
    // Two, and one that was put back.
    assert_eq!(stream.cached_info().state.messages, 3);
}

#[tokio::test]
async fn topics_are_on_kafka() {
    let server = kafka::Server::start();
    let runner = on(&format!("kafka://{}", server.hosts()));
    the_commands_say_the_same(&runner);
    assert_eq!(server.messages("a").len(), 3);
}

fn the_commands_say_the_same(runner: &Runner) {
    let (found, code) = followed(runner, &["a", "--data", "hello", "--id", "good"]);
    assert_eq!(code, Some(0), "{found}");
    let root = &found["paths"][0];
    assert_eq!((&root["id"], &root["topic"]), (&json!("good"), &json!("a")));
    let reply = &visit(root, "first")["replies"][0];
    assert_eq!(reply["topic"], "b");
    assert_eq!(visit(reply, "second")["verdict"], "done");
    assert_eq!(visit(reply, "picky")["verdict"], "filtered");

    let (found, code) = followed(runner, &["a", "--type", "status.422", "--id", "bad"]);
    assert_eq!(code, Some(1), "{found}");
    let first = visit(&found["paths"][0], "first");
    assert_eq!(first["verdict"], "dead-letter");
    let (list, _) = said(runner, &["dead-letters", "list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let mut of: Vec<_> = list.as_array().unwrap().iter().collect();
    of.sort_by_key(|letter| letter["notes"]["function"].to_string());
    let functions: Vec<_> = of
        .iter()
        .map(|letter| &letter["notes"]["function"])
        .collect();
    assert_eq!(functions, ["first", "second"], "{list}");

    let again = ["dead-letters", "redrive", "--function", "first", "--wait"];
    let (text, code) = said(runner, &again);
    assert_eq!(code, Some(1), "refused once more: {text}");
    let (list, _) = said(runner, &["dead-letters", "list", "first", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
}

#[test]
fn a_runner_without_the_broker_says_how_to_get_one_with_it() {
    for (url, says) in [
        (
            "nats://127.0.0.1:4222",
            "cargo run --features nats -- --broker nats://127.0.0.1:4222",
        ),
        (
            "kafka://127.0.0.1:9092",
            "needs openfaas-local with the feature `kafka`",
        ),
        (
            "redis://127.0.0.1",
            "write nats://HOST:PORT or kafka://HOST:PORT",
        ),
    ] {
        let mut runner = Command::new(program());
        runner.current_dir(repository()).args(["--broker", url]);
        let output = runner.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(says), "{text}");
    }
}
