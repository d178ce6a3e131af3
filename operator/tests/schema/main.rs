//! What is rendered is what KEDA takes: its own definitions of objects and its own schema of triggers say so.

mod definition;
mod scalers;

use std::path::Path;

use openfaas_operator::render::manifests;
use openfaas_operator::settings::Settings;
use openfaas_stack::Stack;
use serde_json::Value;

/// A function for each way to be scaled.
const STACK: &str = "\
provider: {name: openfaas}
functions:
  served: {lang: a, handler: ./a, image: a, annotations: {topic: orders}}
  elsewhere: {lang: a, handler: ./b, image: b, annotations: {topic: orders, events.broker: kafka}}
  ordered: {lang: a, handler: ./c, image: c, annotations: {topic: 'eu.* us.*', events.broker: nats, events.door: 'true'}}
  side-by-side: {lang: a, handler: ./d, image: d, annotations: {topic: orders, events.broker: nats, events.door: 'true', events.order: none}}
  opened: {lang: a, handler: ./e, image: e, environment: {events_broker: kafka, events_topic: orders payments}}
";

#[derive(clap::Parser)]
struct Options {
    #[command(flatten)]
    settings: Settings,
}

/// Every object that these options render, with the file it is in.
fn objects(options: &[&str]) -> Vec<(String, Value)> {
    let stack = Stack::parse("stack.yml", STACK, |_| None).unwrap();
    let options = [&["render"], options].concat();
    let Options { settings } = clap::Parser::parse_from(options);
    let manifests = manifests(&stack, &settings).unwrap();
    let of_file = |file: &str, text: &str| -> Vec<(String, Value)> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
        objects
            .into_iter()
            .map(|object| (file.to_owned(), object))
            .collect()
    };
    manifests
        .iter()
        .flat_map(|manifest| of_file(&manifest.file, &manifest.text))
        .collect()
}

/// Every way to render that there is.
fn every_object() -> Vec<(String, Value)> {
    let ways: [&[&str]; 4] = [
        &[],
        &["--profile", "plain", "--nats-account", "$G", "--paused"],
        &["--connector", "kafka", "--kafka-tls", "--prometheus", ""],
        &[
            "--kafka-sasl",
            "scram_sha256",
            "--stream",
            "orders=EVENTS",
            "--max-replicas",
            "30",
        ],
    ];
    ways.into_iter().flat_map(objects).collect()
}

/// A file of KEDA's, as `cargo xtask setup` has installed it.
fn installed(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/tools/keda")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: `cargo xtask setup` installs it",
            path.display()
        )
    })
}
