//! What a stack is rendered to.

use std::path::Path;
use std::process::{Command, Output};

fn operator(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_openfaas-operator"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

/// A stack with one function, and what is printed and remarked for it.
fn rendered(function: &str, options: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let stack = format!(
        "provider: {{name: openfaas}}\nfunctions:\n  order:\n    lang: rust-otlp-event\n    handler: ./order\n    image: order\n{function}"
    );
    std::fs::write(folder.path().join("stack.yml"), stack).unwrap();
    let output = operator(folder.path(), &[&["render"], options].concat());
    let [printed, said] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{said}");
    (printed, said)
}

const ORDERED: &str =
    "    annotations: {topic: orders, events.broker: nats, events.door: 'true'}\n";
const UNORDERED: &str = "    annotations: {topic: orders, events.broker: nats, events.door: 'true', events.order: none}\n";
const KAFKA: &str = "    annotations: {topic: orders, events.broker: kafka, events.door: 'true', events.concurrency: 8}\n";
const SERVED: &str = "    annotations: {topic: orders}\n";

/// The lines of a manifest in order, anything between them.
fn assert_says(text: &str, lines: &[&str]) {
    let mut rest = text.lines().map(str::trim);
    for line in lines {
        assert!(
            rest.any(|other| other == *line),
            "no {line:?}, or not in this order, in\n{text}"
        );
    }
}

#[test]
fn this_repository_holds_what_its_stack_renders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let output = operator(
        root,
        &[
            "render",
            "stack.yml",
            "--output",
            fresh.path().to_str().unwrap(),
        ],
    );
    assert!(output.status.success());
    let command = "cargo run --package openfaas-operator -- render --output keda";
    let files = |folder: &Path| {
        let names = std::fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}: run `{command}`", folder.display()));
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (here, there) = (root.join("keda"), fresh.path());
    assert_eq!(
        files(&here),
        files(there),
        "keda/ is stale: run `{command}`"
    );
    for file in files(there) {
        let [one, other] =
            [&here, there].map(|folder| std::fs::read_to_string(folder.join(&file)).unwrap());
        assert!(
            one == other,
            "keda/{} is stale: run `{command}`",
            file.display()
        );
    }
}

#[test]
fn a_door_is_scaled_by_its_own_durable() {
    let (printed, _) = rendered(UNORDERED, &["--profile", "plain"]);
    assert_says(
        &printed,
        &[
            "kind: TriggerAuthentication",
            "name: order",
            "namespace: openfaas-fn",
            "- parameter: account",
            "name: openfaas-nats",
            "kind: ScaledObject",
            "minReplicaCount: 0",
            "maxReplicaCount: 10",
            "- type: nats-jetstream",
            "stream: ORDERS",
            "consumer: openfaas-fn_order_orders",
            "lagThreshold: \"64\"",
            "- type: prometheus",
            "query: max(openfaas_delivery_lag_messages{function=\"order\",function_namespace=\"openfaas-fn\",topic=\"orders\"})",
        ],
    );
}

#[test]
fn an_ordered_door_on_nats_has_one_that_stands_by_and_it_is_said() {
    let (printed, said) = rendered(ORDERED, &["--profile", "plain"]);
    let sentence = "at most 2 replicas: on NATS an ordered durable has one owner, and the second stands by; \
                    with `events.order: none` all take part";
    assert_says(&printed, &[&format!("# {sentence}"), "maxReplicaCount: 2"]);
    assert_eq!(said, format!("order: {sentence}\n"));
    let (_, said) = rendered(UNORDERED, &["--profile", "plain"]);
    assert_eq!(said, "");
}

#[test]
fn openfaas_ce_keeps_a_function_between_one_and_five() {
    let (printed, said) = rendered(UNORDERED, &[]);
    assert_says(&printed, &["minReplicaCount: 1", "maxReplicaCount: 5"]);
    assert!(
        said.starts_with("order: OpenFaaS CE sets a function back to between 1 and 5 replicas"),
        "{said}"
    );
}

#[test]
fn a_function_that_a_connector_serves_scales_the_connector() {
    for (options, name, trigger) in [
        (&[][..], "openfaas-connector-nats", "nats-jetstream"),
        (
            &["--connector", "kafka"],
            "openfaas-connector-kafka",
            "kafka",
        ),
    ] {
        let (printed, _) = rendered(SERVED, options);
        assert_says(
            &printed,
            &[
                "scaleTargetRef:",
                &format!("name: {name}"),
                "minReplicaCount: 1",
                &format!("- type: {trigger}"),
            ],
        );
        assert!(!printed.contains("name: order\n"), "{printed}");
    }
}

#[test]
fn a_door_on_kafka_is_scaled_by_its_group() {
    let (printed, _) = rendered(
        KAFKA,
        &[
            "--profile",
            "plain",
            "--kafka",
            "kafka-0:9092",
            "--kafka-sasl",
            "plaintext",
        ],
    );
    assert_says(
        &printed,
        &[
            "- parameter: username",
            "- parameter: password",
            "maxReplicaCount: 10",
            "- type: kafka",
            "bootstrapServers: kafka-0:9092",
            "consumerGroup: openfaas.openfaas-fn.order",
            "topic: orders",
            "lagThreshold: \"8\"",
            "sasl: plaintext",
        ],
    );
}

#[test]
fn a_connector_on_kafka_may_have_groups_of_its_own() {
    let (printed, _) = rendered(SERVED, &["--connector", "kafka", "--kafka-group", "shadow"]);
    assert_says(&printed, &["consumerGroup: shadow.openfaas-fn.order"]);
}

#[test]
fn what_opens_a_door_in_the_environment_counts() {
    let opened = "    environment: {events_broker: kafka, events_topic: payments}\n";
    let (printed, _) = rendered(opened, &[]);
    assert_says(
        &printed,
        &[
            "kind: ScaledObject",
            "name: order",
            "- type: kafka",
            "topic: payments",
        ],
    );
}

#[test]
fn what_is_asked_for_is_rendered() {
    let options = [
        "--paused",
        "--activation",
        "5",
        "--polling-interval",
        "2",
        "--cooldown",
        "7",
        "--scale-down-after",
        "60",
        "--nats-account",
        "ORDERS",
        "--stream",
        "orders=EVENTS",
        "--max-replicas",
        "3",
        "--nats-monitoring",
        "nats:1",
        "--prometheus",
        "",
    ];
    let (printed, _) = rendered(UNORDERED, &options);
    assert_says(
        &printed,
        &[
            "autoscaling.keda.sh/paused: \"true\"",
            "pollingInterval: 2",
            "cooldownPeriod: 7",
            "maxReplicaCount: 3",
            "stabilizationWindowSeconds: 60",
            "natsServerMonitoringEndpoint: nats:1",
            "account: ORDERS",
            "stream: EVENTS",
            "activationLagThreshold: \"5\"",
        ],
    );
    assert!(
        !printed.contains("TriggerAuthentication") && !printed.contains("prometheus"),
        "{printed}"
    );
}

#[test]
fn a_folder_is_brought_up_to_date_and_other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let stack = |function: &str| {
        let text = format!(
            "provider: {{name: openfaas}}\nfunctions:\n  {function}: {{lang: a, handler: a, image: a, annotations: {{topic: orders, events.broker: nats, events.door: 'true'}}}}\n"
        );
        std::fs::write(folder.path().join("stack.yml"), text).unwrap();
        let output = operator(folder.path(), &["render", "--output", "keda"]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(stack("one"), "wrote keda/one.openfaas-fn.yaml\n");
    assert_eq!(stack("one"), "");
    std::fs::write(folder.path().join("keda/mine.yaml"), "kind: Secret\n").unwrap();
    assert_eq!(
        stack("two"),
        "wrote keda/two.openfaas-fn.yaml\nremoved keda/one.openfaas-fn.yaml\n"
    );
    assert!(folder.path().join("keda/mine.yaml").is_file());
}

#[test]
fn a_wiring_that_cannot_be_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let stack = "provider: {name: openfaas}\nfunctions:\n  order: {lang: a, handler: a, image: a, annotations: {topic: orders, events.door: 'true'}}\n";
    std::fs::write(folder.path().join("stack.yml"), stack).unwrap();
    let output = operator(folder.path(), &["render"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "function order: events.door is \"true\": nothing says which broker it leads to; add events.broker, or leave this out; \
         `openfaas-operator lint` shows the line\n"
    );
}
