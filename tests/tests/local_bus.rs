//! The bus of the local runner: events are published and followed, dead letters put back, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use http::Method;
use openfaas_tests::runner::{Runner, kill, program, until};
use rustix::process::Signal;
use serde_json::{Value, json};

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

fn runner() -> Runner {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger").display().to_string();
    let text = format!(
        "provider:\n  name: openfaas\nfunctions:{}",
        STACK.replace("LEDGER", &ledger)
    );
    fs::write(folder.path().join("stack.yml"), text).unwrap();
    let binary = |name: &str| format!("{name}={}", env!("CARGO_BIN_EXE_local-fixture"));
    let [first, second, picky] = ["first", "second", "picky"].map(binary);
    Runner::start_in(
        folder,
        &["--binary", &first, "--binary", &second, "--binary", &picky],
    )
}

/// A command that talks to `runner`.
fn command(runner: &Runner, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .current_dir(runner.folder())
        .args(arguments)
        .args(["--gateway", &runner.gateway]);
    command
}

fn run(runner: &Runner, arguments: &[&str]) -> Output {
    command(runner, arguments).output().unwrap()
}

/// What a command writes, and its exit code.
fn said(runner: &Runner, arguments: &[&str]) -> (String, Option<i32>) {
    let output = run(runner, arguments);
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .concat();
    (text, output.status.code())
}

/// What `publish --wait --json` writes, and its exit code.
fn followed(runner: &Runner, arguments: &[&str]) -> (Value, Option<i32>) {
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
fn ledger(runner: &Runner) -> Vec<String> {
    let text = fs::read_to_string(runner.folder().join("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// What a function made of the message at the root.
fn visit<'a>(path: &'a Value, function: &str) -> &'a Value {
    let visits = path["functions"].as_array().unwrap();
    visits
        .iter()
        .find(|visit| visit["function"] == function)
        .unwrap_or_else(|| panic!("{function}: {path}"))
}

#[tokio::test]
async fn an_event_is_followed_to_its_end() {
    let runner = runner();
    let (found, code) = followed(
        &runner,
        &[
            "a",
            "--data",
            r#"{"n":1}"#,
            "--type",
            "greeting",
            "--id",
            "e-1",
        ],
    );
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(found["over"], true);
    let root = &found["paths"][0];
    assert_eq!(
        (&root["id"], &root["type"], &root["topic"]),
        (&json!("e-1"), &json!("greeting"), &json!("a"))
    );
    let first = visit(root, "first");
    assert_eq!(
        (&first["verdict"], &first["attempts"][0]["status"]),
        (&json!("done"), &json!(200))
    );
    let reply = &first["replies"][0];
    assert_eq!(
        (&reply["topic"], &reply["type"]),
        (&json!("b"), &json!("openfaas.reply"))
    );
    assert_eq!(reply["trace"], root["trace"]);
    assert_eq!(visit(reply, "second")["verdict"], "done");
    assert_eq!(visit(reply, "picky")["verdict"], "filtered");
    assert_eq!(visit(root, "second")["replies"], json!([]));
    assert_eq!(
        ledger(&runner)
            .iter()
            .filter(|line| line.starts_with("picky"))
            .count(),
        0
    );
}

#[tokio::test]
async fn the_tree_says_the_same_to_people() {
    let runner = runner();
    let (text, code) = said(
        &runner,
        &["publish", "a", "--wait", "--id", "e-1", "--data", "hello"],
    );
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.split("  ").next().unwrap_or_default().trim_end())
        .collect();
    let tree = ["a", "├─ first", "│", "│", "│", "└─ second"];
    assert_eq!(lines.len(), tree.len(), "{text}");
    for (line, expected) in lines.iter().zip(tree) {
        assert!(line.starts_with(expected), "{text}");
    }
    assert!(text.lines().next().unwrap().contains("trace "), "{text}");
    assert!(text.contains("│  └─ b  openfaas.reply"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours without a terminal");

    let (text, code) = said(&runner, &["publish", "nowhere", "--wait"]);
    assert!(text.contains("nobody hangs on this topic"), "{text}");
    assert_eq!(code, Some(0));
    let (text, _) = said(&runner, &["publish", "b", "--count", "3"]);
    assert!(
        text.contains("3 events") && text.contains("picky, second"),
        "{text}"
    );
}

#[tokio::test]
async fn events_come_from_files_and_from_standard_input() {
    let runner = runner();
    let event = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "t", "data": { "x": 1 } });
    let file = |name: &str, text: String| fs::write(runner.folder().join(name), text).unwrap();
    file("one.json", event("one").to_string());
    file(
        "two.json",
        json!([event("two-a"), event("two-b")]).to_string(),
    );
    file("none.json", "[]".to_owned());
    file("broken.json", r#"{"specversion":"1.0","id":""}"#.to_owned());
    let ids = |found: &Value| -> Vec<String> {
        found["paths"]
            .as_array()
            .unwrap()
            .iter()
            .map(|path| path["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(&followed(&runner, &["a", "--file", "one.json"]).0),
        ["one"]
    );
    assert_eq!(
        ids(&followed(&runner, &["a", "--file", "two.json"]).0),
        ["two-a", "two-b"]
    );
    assert_eq!(
        ids(&followed(&runner, &["a", "--file", "one.json", "--count", "2"]).0),
        ["one-1", "one-2"]
    );
    for name in ["none.json", "broken.json", "absent.json"] {
        let (text, code) = said(&runner, &["publish", "a", "--file", name]);
        assert_eq!(code, Some(1));
        assert!(text.contains(name), "{text}");
    }
    let mut child = command(
        &runner,
        &["publish", "b", "--file", "-", "--type", "wanted", "--wait"],
    );
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"plain text")
        .unwrap();
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(text.contains("picky  done"), "{text}");
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_and_put_back_for_its_function_alone() {
    let runner = runner();
    let (found, code) = followed(
        &runner,
        &[
            "a",
            "--data",
            "hello",
            "--type",
            "status.422",
            "--id",
            "bad",
        ],
    );
    assert_eq!(code, Some(1), "{found}");
    let first = visit(&found["paths"][0], "first");
    assert_eq!(first["verdict"], "dead-letter");
    assert_eq!(first["attempts"].as_array().unwrap().len(), 1);
    let (found, _) = followed(&runner, &["b", "--type", "status.500", "--id", "worse"]);
    let second = visit(&found["paths"][0], "second");
    assert_eq!(second["attempts"].as_array().unwrap().len(), 3, "{second}");

    let (list, code) = said(&runner, &["dead-letters", "list", "first", "--json"]);
    assert_eq!(code, Some(0));
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let letter = &list[0];
    assert_eq!(
        (&letter["id"], &letter["notes"]["function"]),
        (&json!("bad"), &json!("first"))
    );
    let name = format!("{}@{}", letter["topic"].as_str().unwrap(), letter["offset"]);
    let (table, _) = said(&runner, &["dead-letters", "list"]);
    assert_eq!(
        table.lines().count(),
        4,
        "bad for two functions, worse for one: {table}"
    );
    let (shown, _) = said(&runner, &["dead-letters", "show", &name]);
    assert!(
        shown.contains("422") && shown.ends_with("hello\n"),
        "{shown}"
    );
    let (ambiguous, code) = said(&runner, &["dead-letters", "show", "bad"]);
    assert_eq!(code, Some(1));
    assert!(
        ambiguous.contains("several") && ambiguous.contains(&name),
        "{ambiguous}"
    );

    let (again, code) = said(&runner, &["dead-letters", "redrive", &name, "--wait"]);
    assert_eq!(code, Some(1), "nothing has changed: {again}");
    let (list, _) = said(&runner, &["dead-letters", "list", "first", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");

    let deployment = |annotations: Value| {
        let ledger = runner.folder().join("ledger").display().to_string();
        let variables = json!({ "lenient": "true", "ledger": ledger });
        json!({ "service": "first", "envVars": variables, "annotations": annotations }).to_string()
    };
    let put = async |deployment| {
        runner
            .send(Method::PUT, "/system/functions", deployment)
            .await
    };
    assert_eq!(put(deployment(json!({}))).await.0, 202);
    until("the deployment", async || {
        let environment = runner.get("/function/first/env").await.1;
        environment.contains("lenient").then_some(())
    })
    .await;
    let (refused, code) = said(&runner, &["dead-letters", "redrive", "--function", "first"]);
    assert_eq!(code, Some(1));
    assert!(refused.contains("does not hang on a now"), "{refused}");

    assert_eq!(put(deployment(json!({ "topic": "a" }))).await.0, 202);
    let redriven = until("it hangs on its topic again", async || {
        let (text, code) = said(
            &runner,
            &["dead-letters", "redrive", "--function", "first", "--wait"],
        );
        (code == Some(0)).then_some(text)
    })
    .await;
    assert!(
        redriven.contains("first  done") && redriven.contains("second  filtered"),
        "{redriven}"
    );
    assert_eq!(
        ledger(&runner),
        ["first bad"],
        "second was not called again"
    );
    let (list, _) = said(&runner, &["dead-letters", "list", "first"]);
    assert_eq!(list.trim(), "no dead letters");
}

#[tokio::test]
async fn nothing_is_lost_when_a_function_is_killed_in_the_middle() {
    let runner = runner();
    let publish = [
        "publish", "b", "--count", "200", "--type", "takes.20", "--id", "e", "--key", "k",
        "--wait", "--json",
    ];
    let publishing = command(&runner, &publish)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    for deaths in 1..=3 {
        until("some are done", async || {
            (ledger(&runner).len() >= deaths * 20).then_some(())
        })
        .await;
        let (_, id) = runner.get("/function/second/pid").await;
        if let Ok(id) = id.parse() {
            kill(id, Signal::KILL);
        }
    }
    let output = publishing.wait_with_output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{found}");
    let done = ledger(&runner);
    let expected: Vec<_> = (1..=200)
        .map(|number| format!("second e-{number}"))
        .collect();
    let mut seen = BTreeSet::new();
    let firsts: Vec<_> = done
        .iter()
        .filter(|line| seen.insert((*line).clone()))
        .cloned()
        .collect();
    assert_eq!(firsts, expected, "each one, and in the order of their key");
    let calls = found["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| visit(path, "second")["attempts"].clone());
    let unanswered = calls
        .filter(|calls| calls.as_array().unwrap().len() > 1)
        .count();
    assert!(
        (1..=3).contains(&unanswered),
        "{unanswered} were in the hands of who was killed"
    );
}

#[tokio::test]
async fn an_event_that_kills_becomes_a_dead_letter_and_takes_no_other_with_it() {
    let runner = runner();
    let events = json!([
        { "specversion": "1.0", "id": "deadly", "source": "/s", "type": "dies" },
        { "specversion": "1.0", "id": "harmless", "source": "/s", "type": "takes.300" },
    ]);
    fs::write(runner.folder().join("events.json"), events.to_string()).unwrap();
    let (found, code) = followed(&runner, &["b", "--file", "events.json"]);
    assert_eq!(code, Some(1));
    let [deadly, harmless] = [0, 1].map(|index| visit(&found["paths"][index], "second"));
    assert_eq!(
        (&deadly["verdict"], &harmless["verdict"]),
        (&json!("dead-letter"), &json!("done")),
        "{found}"
    );
    assert!(
        deadly["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .all(|call| call.get("status").is_none())
    );
}

#[tokio::test]
async fn an_event_wakes_a_function_that_sleeps_and_waits_for_one_that_is_away() {
    let runner = runner();
    let (status, _) = runner
        .post("/system/scale-function/second", r#"{"replicas":0}"#)
        .await;
    assert_eq!(status, 202);
    until("it sleeps", async || {
        let status = runner.json("/system/function/second").await;
        (status["availableReplicas"] == 0).then_some(())
    })
    .await;
    let (found, code) = followed(&runner, &["b", "--id", "waking"]);
    assert_eq!(code, Some(0), "{found}");

    runner
        .send(
            Method::DELETE,
            "/system/functions",
            r#"{"functionName":"second"}"#,
        )
        .await;
    let (text, _) = said(&runner, &["publish", "b", "--id", "patient"]);
    assert!(text.contains("for picky"), "{text}");
    let ledger_path = runner.folder().join("ledger").display().to_string();
    let deployment = json!({ "service": "second", "envVars": { "ledger": ledger_path }, "annotations": { "topic": "b" } });
    assert_eq!(
        runner
            .post("/system/functions", deployment.to_string())
            .await
            .0,
        202
    );
    let line = "second patient".to_owned();
    until("what was published meanwhile", async || {
        ledger(&runner).contains(&line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_finished() {
    let mut runner = runner();
    said(
        &runner,
        &["publish", "b", "--type", "takes.500", "--id", "last"],
    );
    let waiting = |count: Option<u64>| count >= Some(1);
    until("it is called", async || {
        waiting(runner.json("/system/function/second").await["invocationCount"].as_u64())
            .then_some(())
    })
    .await;
    runner.signal(Signal::TERM);
    assert_eq!(runner.wait(), Some(0));
    assert!(
        ledger(&runner).contains(&"second last".to_owned()),
        "{:?}",
        ledger(&runner)
    );
}

#[test]
fn without_a_runner_there_is_one_sentence() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = Command::new(program())
        .args(["publish", "a", "--gateway", &format!("http://{nobody}")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("no runner answers") && text.lines().count() == 1,
        "{text}"
    );
}
