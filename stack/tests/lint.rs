//! What the rules say of a stack file, as `doctor` shows it.

use openfaas_stack::{Problem, Severity, Stack, lint};

/// A stack whose functions exist as folders, with what the rules say of it: `line:column severity: message | remedy`.
fn check(functions: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stack.yml");
    std::fs::write(
        &path,
        format!("provider: {{name: openfaas}}\nfunctions:\n{functions}"),
    )
    .unwrap();
    let stack = Stack::load(&path).unwrap();
    for function in stack
        .functions
        .iter()
        .filter(|function| function.handler != "./absent")
    {
        std::fs::create_dir_all(stack.handler_dir(function)).unwrap();
    }
    lint::check(&stack).iter().map(line).collect()
}

fn line(problem: &Problem) -> String {
    let severity = if problem.severity == Severity::Error {
        "error"
    } else {
        "warning"
    };
    let remedy = problem.remedy.as_deref().unwrap_or("-");
    format!(
        "{} {severity}: {} | {remedy}",
        problem.span, problem.message
    )
}

/// A function in six lines of YAML, of which the last are `more`.
fn function(name: &str, more: &str) -> String {
    format!(
        "  {name}:\n    lang: rust-otlp-event\n    handler: ./{name}\n    image: {name}:latest\n{more}"
    )
}

#[test]
fn a_chain_that_is_right_has_no_problems() {
    let order = function(
        "order",
        "    annotations:\n      topic: orders\n      events.reply-topic: payments\n",
    );
    let payment = function("payment", "    annotations:\n      topic: payments\n");
    assert_eq!(check(&(order + &payment)), [""; 0]);
}

#[test]
fn a_misspelt_annotation_is_answered_with_what_was_meant() {
    let problems = check(&function(
        "order",
        "    annotations:\n      topic: orders\n      events.reply-topik: x\n",
    ));
    assert_eq!(
        problems,
        [
            "9:7 warning: nothing reads the annotation `events.reply-topik` | did you mean `events.reply-topic`?"
        ]
    );
}

#[test]
fn a_value_that_cannot_be_is_an_error_at_the_value() {
    let problems = check(&function(
        "order",
        "    annotations:\n      topic: orders\n      events.order: keys\n",
    ));
    assert_eq!(
        problems,
        ["9:21 error: events.order is \"keys\": write key or none | -"]
    );
}

#[test]
fn openfaas_ce_refuses_a_comma_in_a_topic() {
    let problems = check(&function(
        "order",
        "    annotations:\n      topic: orders, returns\n",
    ));
    assert_eq!(
        problems,
        [
            "8:14 warning: OpenFaaS CE refuses to deploy a `topic` with a comma | \
          separate them by a space: `topic: orders returns`"
        ]
    );
}

#[test]
fn event_annotations_without_a_topic_do_nothing() {
    let problems = check(&function(
        "order",
        "    annotations:\n      events.order: none\n",
    ));
    assert_eq!(
        problems,
        [
            "8:7 warning: `events.order` does nothing: function `order` has no `topic` | \
          add the annotation `topic`, or drop this one"
        ]
    );
}

#[test]
fn a_reply_topic_wants_a_consumer() {
    let problems = check(&function(
        "order",
        "    annotations:\n      topic: orders\n      events.reply-topic: nowhere\n",
    ));
    assert_eq!(
        problems,
        ["9:27 warning: nobody in this stack consumes `nowhere` | \
          give a function the annotation `topic: nowhere`, unless somebody outside consumes it"]
    );
}

#[test]
fn a_cycle_is_told_unless_a_filter_may_end_it() {
    let there = function(
        "there",
        "    annotations:\n      topic: a\n      events.reply-topic: b\n",
    );
    let back = function(
        "back",
        "    annotations:\n      topic: b\n      events.reply-topic: a\n",
    );
    let filtered = format!("{back}      events.filter: type=again\n");
    assert_eq!(
        check(&(there.clone() + &back)),
        [
            "9:27 warning: an event goes round here for ever: there → back → there | reply to another topic, or let one of \
          them choose with `events.filter`; after `events.max-hops` it is a dead letter"
        ]
    );
    assert_eq!(check(&(there + &filtered)), [""; 0]);
}

#[test]
fn labels_that_fight_with_keda_or_openfaas_ce_are_told() {
    let labelled = |label: &str| {
        let more = format!(
            "    annotations: {{topic: orders}}\n    labels:\n      com.openfaas.scale.{label}\n"
        );
        check(&function("order", &more)).join("\n")
    };
    for (label, expected) in [
        ("min: 1", "every deploy sets the replicas back"),
        ("min: 6", "OpenFaaS CE refuses more than 5 replicas"),
        ("max: 10", "OpenFaaS CE refuses more than 5 replicas"),
        ("factor: 0", "answer every call 404"),
        ("zero: true", "counts calls through the gateway alone"),
        (
            "type: rps",
            "OpenFaaS CE refuses to deploy a function with the label",
        ),
    ] {
        let problems = labelled(label);
        assert!(
            problems.starts_with("9:7 warning: ") && problems.contains(expected),
            "{label}: {problems}"
        );
    }
    for label in ["max: 5", "factor: 20", "zero: false"] {
        assert_eq!(labelled(label), "", "{label}");
    }
}

#[test]
fn labels_and_annotations_are_not_exchanged() {
    let more =
        "    labels:\n      topic: orders\n    annotations:\n      com.openfaas.scale.max: 5\n";
    assert_eq!(
        check(&function("order", more)),
        [
            "8:7 warning: `topic` is a label here, and only the annotation is read | move it under `annotations`",
            "10:7 warning: `com.openfaas.scale.max` is an annotation here, and only the label is read | \
             move it under `labels`",
        ]
    );
}

#[test]
fn two_folders_with_one_image_are_told_and_one_folder_deployed_twice_is_not() {
    let other = |handler: &str| {
        format!(
            "  other:\n    lang: rust-otlp-event\n    handler: {handler}\n    image: order:latest\n"
        )
    };
    assert_eq!(
        check(&(function("order", "") + &other("./other"))),
        [
            "10:12 warning: `order` and `other` have one image, so the last one pushed is both | \
          give each an image of its own"
        ]
    );
    assert_eq!(
        check(&(function("order", "") + &other("./order/"))),
        [""; 0]
    );
}

#[test]
fn what_is_named_has_to_be_there() {
    let absent = "  order:\n    lang: rust-otlp\n    handler: ./absent\n    image: order\n    environment_file: [no.yml]\n";
    assert_eq!(
        check(&format!(
            "{absent}configuration:\n  copy: [../secret, shared]\n"
        )),
        [
            "5:14 error: `./absent`, the folder of function `order`, is not there | write its path, or make it: take \
             `order` out of here and `faas-cli new order --lang rust-otlp --append stack.yml`",
            "7:24 error: the environment file `no.yml` is not there | -",
            "9:10 error: `../secret` leads out of this folder, and faas-cli refuses that | -",
            "9:21 error: `shared`, to be copied into every build, is not there | -",
        ]
    );
}

#[test]
fn a_door_that_nothing_opens_gets_no_events() {
    let closed = "    annotations:\n      topic: orders\n      events.broker: nats\n      events.door: \"true\"\n";
    assert_eq!(
        check(&function("order", closed)),
        [
            "10:7 warning: `events.door` keeps connectors away, and nothing on a cluster tells `order` to take its events itself | \
             under `environment` write `events_broker: nats` and `events_topic: orders`; openfaas-local sets them itself"
        ]
    );
    let opened = "    environment:\n      events_broker: nats\n      events_topic: orders\n";
    assert_eq!(
        check(&function("order", &format!("{opened}{closed}"))),
        [""; 0]
    );
    assert_eq!(check(&function("order", opened)), [""; 0]);
}

#[test]
fn what_a_door_is_told_by_annotation_alone_it_does_not_know() {
    let opened = "    environment:\n      events_broker: nats\n      events_topic: orders\n    annotations:\n      topic: orders\n      events.broker: nats\n";
    assert_eq!(
        check(&function("order", opened)),
        [
            "11:7 warning: a connector delivers to `order` too, which takes its events from the broker itself | \
             add the annotations `events.door: \"true\"` and `events.broker`, as in its environment"
        ]
    );
    assert_eq!(
        check(&function(
            "order",
            &format!("{opened}      events.door: \"true\"\n      events.order: none\n")
        )),
        [
            "14:21 warning: a door reads `events_order`, and here only the annotation is `none` | \
             under `environment` write `events_order: none`"
        ]
    );
}
