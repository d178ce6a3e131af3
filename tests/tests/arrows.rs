//! The arrows of docs/architecture.md hold: which crate of ours may know which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use openfaas_tests::tools::{repository, run};
use serde_json::Value;

const CLOUDEVENTS: &str = "openfaas-cloudevents";
const TELEMETRY: &str = "openfaas-telemetry";
const DELIVERY: &str = "openfaas-delivery";
const RUNTIME: &str = "openfaas-runtime";
const STACK: &str = "openfaas-stack";

/// Whom each crate may know, apart from its tests.
const ARROWS: [(&str, &[&str]); 9] = [
    (CLOUDEVENTS, &[]),
    (TELEMETRY, &[]),
    (DELIVERY, &[CLOUDEVENTS, TELEMETRY]),
    (RUNTIME, &[CLOUDEVENTS, TELEMETRY, DELIVERY]),
    (STACK, &[DELIVERY]),
    ("openfaas-connector", &[TELEMETRY, DELIVERY]),
    ("openfaas-local", &[CLOUDEVENTS, TELEMETRY, DELIVERY, STACK]),
    ("openfaas-operator", &[DELIVERY, STACK]),
    ("xtask", &[STACK]),
];

/// Crates that may look at anything, and that nothing looks at.
const OBSERVERS: [&str; 6] = [
    "openfaas-tests",
    "openfaas-handlers",
    "openfaas-bench",
    "openfaas-bench-brokers",
    "openfaas-bench-reference",
    "openfaas-bench-function",
];

#[test]
fn every_crate_knows_only_whom_it_may() {
    let allowed = BTreeMap::from(ARROWS);
    for package in packages(repository()) {
        let name = name(&package);
        if OBSERVERS.contains(&name) {
            continue;
        }
        let allowed = allowed.get(name).unwrap_or_else(|| {
            panic!("{name} is in no room: add it to docs/architecture.md and to this test")
        });
        for known in arrows(&package) {
            assert!(allowed.contains(&known.as_str()), "{name} knows {known}");
        }
    }
}

#[test]
fn a_function_knows_the_runtime_alone() {
    let root = repository();
    let functions = [
        "functions/order",
        "functions/storefront",
        "template/rust-otlp/function",
        "template/rust-otlp-event/function",
    ];
    for folder in functions {
        for package in packages(&root.join(folder))
            .iter()
            .filter(|package| name(package) == "function")
        {
            assert_eq!(
                arrows(package),
                BTreeSet::from([RUNTIME.to_owned()]),
                "{folder}"
            );
        }
    }
}

#[test]
fn a_function_links_no_engine_and_a_stack_neither() {
    for package in packages(repository()) {
        if ![RUNTIME, STACK].contains(&name(&package)) {
            continue;
        }
        for dependency in dependencies(&package).filter(|dependency| name(dependency) == DELIVERY) {
            assert_eq!(
                dependency["uses_default_features"],
                false,
                "{}",
                name(&package)
            );
            let features = dependency["features"]
                .as_array()
                .expect("a list of features");
            assert!(
                !features.contains(&Value::from("engine")),
                "{}",
                name(&package)
            );
        }
    }
}

/// The packages of the workspace in `folder`, as cargo sees them.
fn packages(folder: &Path) -> Vec<Value> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata
        .current_dir(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value =
        serde_json::from_str(&run(&mut metadata)).expect("cargo metadata prints JSON");
    metadata["packages"]
        .as_array()
        .expect("a list of packages")
        .clone()
}

/// Which crates of ours a package knows, apart from its tests.
fn arrows(package: &Value) -> BTreeSet<String> {
    dependencies(package)
        .filter(|dependency| !dependency["path"].is_null())
        .map(|dependency| name(dependency).to_owned())
        .collect()
}

fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    let dependencies = package["dependencies"]
        .as_array()
        .expect("a list of dependencies");
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
}

fn name(value: &Value) -> &str {
    value["name"].as_str().expect("a name")
}
