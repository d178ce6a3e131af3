//! `publish`, with and without `--wait`.

use std::fs;
use std::process::Command;

use openfaas_tests::runner::program;
use openfaas_tests::tools::feed;
use serde_json::{Value, json};

use super::chain::{command, followed, ledger, runner, said, visit};

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
    let mut publish = command(
        &runner,
        &["publish", "b", "--file", "-", "--type", "wanted", "--wait"],
    );
    let text = String::from_utf8(feed(&mut publish, "plain text").stdout).unwrap();
    assert!(text.contains("picky  done"), "{text}");
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
