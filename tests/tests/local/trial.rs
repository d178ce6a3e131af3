//! `try` and `doctor`, as somebody types them in a fresh clone.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use openfaas_tests::runner::program;
use openfaas_tests::tools::repository;
use openfaas_tests::{kafka, nats};

/// What a command writes to stdout, and its exit code.
fn said(command: &mut Command) -> (String, Option<i32>) {
    let output = command.output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

#[test]
fn the_order_chain_keeps_its_promises() {
    let try_chain = || said(Command::new(program()).current_dir(repository()).arg("try"));
    let (built, code) = try_chain();
    assert_eq!(code, Some(0), "{built}");
    let began = Instant::now();
    let (text, code) = try_chain();
    assert_eq!(code, Some(0), "{text}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?} when everything is built:\n{text}",
        began.elapsed()
    );
    assert!(
        !text.contains('\u{1b}'),
        "plain lines where there is no terminal"
    );
    every_promise_is_kept(&text);
}

/// Orders of two trials.
const PUBLISHED: usize = 18;

#[tokio::test]
async fn the_order_chain_keeps_its_promises_over_nats() {
    let server = nats::Server::start();
    is_tried_on(&format!("nats://{}", server.address()));
    let look = server.look().await;
    let orders = look.jetstream.get_stream("ORDERS").await.unwrap();
    assert_eq!(orders.cached_info().state.messages, PUBLISHED as u64);
}

#[test]
fn the_order_chain_keeps_its_promises_over_kafka() {
    let server = kafka::Server::start();
    is_tried_on(&format!("kafka://{}", server.hosts()));
    assert_eq!(server.messages("orders").len(), PUBLISHED);
}

/// Twice: the second finds all that the first has left on the broker.
fn is_tried_on(broker: &str) {
    for _ in 0..2 {
        let mut trial = Command::new(env!("CARGO_BIN_EXE_local-with-brokers"));
        trial.current_dir(repository());
        let (text, code) = said(trial.args(["try", "--broker", broker]));
        assert_eq!(code, Some(0), "{text}");
        every_promise_is_kept(&text);
    }
}

fn every_promise_is_kept(text: &str) {
    for order in [
        "good",
        "declined",
        "busy",
        "poison",
        "first",
        "second",
        "kills",
        "neighbour",
    ] {
        let root = text
            .lines()
            .find(|line| line.starts_with(&format!("orders  order.placed  {order}")));
        let trace = root
            .and_then(|root| root.split_once("trace "))
            .unwrap_or_else(|| panic!("{order}: {text}"))
            .1;
        assert_eq!(trace.len(), 32, "{trace}");
        assert!(
            text.lines()
                .any(|line| line.starts_with(&format!("kept   {order} "))),
            "{order}: {text}"
        );
    }
    assert!(!text.contains("broken "), "{text}");
    assert!(text.contains("8 orders went as promised"), "{text}");
}

#[test]
fn another_stack_is_not_tried() {
    let folder = tempfile::tempdir().unwrap();
    let stack = "provider: {name: openfaas}\nfunctions:\n  mine: {lang: rust-otlp, handler: ./mine, image: mine}\n";
    fs::write(folder.path().join("stack.yml"), stack).unwrap();
    let output = Command::new(program())
        .current_dir(folder.path())
        .arg("try")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("stack.yml has no function storefront"),
        "{text}"
    );
}

#[test]
fn the_doctor_finds_nothing_wrong_with_this_repository() {
    let doctor = ["doctor", "--listen", "127.0.0.1:0"];
    let (text, code) = said(
        Command::new(program())
            .current_dir(repository())
            .args(doctor),
    );
    assert_eq!(code, Some(0), "{text}");
    for function in ["storefront", "order", "payment", "shipment"] {
        assert!(
            text.lines()
                .any(|line| line.starts_with("ok") && line.contains(function)),
            "{text}"
        );
    }
}

#[test]
fn the_doctor_names_the_line_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let stack = "provider:\n  name: openfaas\nfunctions:\n  mine:\n    lang: rust-otlp\n    handler: ./absent\n    \
        image: mine\n    annotations:\n      topic: orders\n      events.fliter: type=x\n      events.order: sometimes\n";
    fs::write(folder.path().join("stack.yml"), stack).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(program());
    let (text, code) = said(
        command
            .current_dir(folder.path())
            .args(["doctor", "--listen", &address]),
    );
    assert_eq!(code, Some(1), "{text}");
    for expected in [
        "stack.yml:6:",
        "./absent",
        "stack.yml:10:7",
        "did you mean `events.filter`?",
        "stack.yml:11:",
        "events.order",
        &address,
        "--listen 127.0.0.1:0",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
