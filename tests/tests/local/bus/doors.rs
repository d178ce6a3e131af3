//! Functions with a door of their own to the broker of the run.

use std::fs;
use std::path::Path;

use http::Method;
use openfaas_tests::nats;
use openfaas_tests::runner::{Runner, until};
use serde_json::json;

use super::chain::{followed, said, visit};
use crate::packages::package;

/// `asks` and `plain` are the same package, and differ in their wiring; `works` is a function that takes its events itself.
const STACK: &str = "
provider: {name: openfaas}
functions:
  asks:
    lang: rust-otlp
    handler: ./asks
    image: asks:1
    environment: {ledger: LEDGER}
    annotations: {topic: a, events.broker: nats, events.door: \"true\"}
  plain:
    lang: rust-otlp
    handler: ./plain
    image: plain:1
    environment: {ledger: LEDGER, events_broker: kafka}
    annotations: {topic: a}
  works:
    lang: rust-otlp
    handler: ./works
    image: works:1
    environment: {events_broker: nats, broker_host: 'nats.nats:4222', events_topic: jobs, events_reply_topic: done}
";

/// Tells how it was built and what it is told, and writes down who it is at each POST.
const TELLS: &str = r#"
use std::{env, fs, io::{Read, Write}, net::TcpListener};

fn main() {
    let told = |name: &str| env::var(name).unwrap_or_default();
    let port: u16 = told("port").parse().unwrap();
    for stream in TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let mut stream = stream.unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap_or(0);
        if request[..length].starts_with(b"POST") {
            let mut ledger = fs::File::options().append(true).create(true).open(told("ledger")).unwrap();
            writeln!(ledger, "{}", told("OPENFAAS_NAME")).unwrap();
        }
        let built = if cfg!(feature = "nats") { "with nats" } else { "without" };
        let said = format!("{built}, told {:?} {:?}", told("events_broker"), told("broker_host"));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", said.len());
        let _ = stream.write_all((head + &said).as_bytes());
    }
}
"#;

#[tokio::test]
async fn one_that_asks_for_it_is_built_with_its_broker_and_takes_its_events_itself() {
    let server = nats::Server::start();
    let broker = format!("nats://{}", server.address());
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let stack = STACK.replace("LEDGER", &ledger.display().to_string());
    fs::write(folder.path().join("stack.yml"), stack).unwrap();
    for name in ["asks", "plain"] {
        package(folder.path(), name, TELLS);
        let manifest = folder.path().join(name).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(manifest, text + "[features]\nnats = []\n").unwrap();
    }
    let works = format!("works={}", env!("CARGO_BIN_EXE_door-fixture"));
    let runner = Runner::start_program(
        Path::new(env!("CARGO_BIN_EXE_local-with-brokers")),
        folder,
        &["--broker", &broker, "--binary", &works],
        &[],
    );

    let asks = format!("with nats, told \"nats\" \"{broker}\"");
    assert_eq!(runner.get("/function/asks").await, (200, asks));
    let plain = "without, told \"\" \"\"".to_owned();
    let (_, told) = runner.get("/function/plain").await;
    assert_eq!(told, plain);

    let (found, code) = followed(&runner, &["a", "--data", "hello"]);
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(visit(&found["paths"][0], "plain")["verdict"], "done");
    let called = || fs::read_to_string(&ledger).unwrap_or_default();
    assert_eq!(called(), "plain\n", "nothing is delivered to a door");

    let closed = json!({
        "service": "asks", "image": "asks:2", "envVars": { "ledger": ledger },
        "annotations": { "topic": "a", "events.broker": "nats" },
    });
    let deployed = runner.send(Method::PUT, "/system/functions", closed.to_string());
    assert_eq!(deployed.await.0, 202);
    let told = async || (runner.get("/function/asks").await.1 == plain).then_some(());
    until("it is deployed without its door", told).await;
    let (found, code) = followed(&runner, &["a", "--data", "hello"]);
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(visit(&found["paths"][0], "asks")["verdict"], "done");

    let (text, code) = said(&runner, &["publish", "jobs", "--data", "{}"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("for works"), "{text}");
    let look = server.look().await;
    let replied = async || {
        let stream = look.jetstream.get_stream("DONE").await.ok()?;
        (stream.cached_info().state.messages == 1).then_some(())
    };
    until("it has replied", replied).await;
}
