//! `docs/configuration.md` says of annotations what the code says.

use std::fmt::Write;

use openfaas_delivery::filter::Filter;
use openfaas_delivery::wiring::{KNOWN, environment_name};
use openfaas_stack::Stack;
use openfaas_tests::tools::repository;

const BEGIN: &str = "<!-- annotations -->\n";
const END: &str = "<!-- end of annotations -->";

fn guide() -> String {
    std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap()
}

/// The code blocks whose opening fence says `kind`.
fn blocks<'a>(guide: &'a str, kind: &str) -> Vec<&'a str> {
    let opening = format!("```{kind}\n");
    let block = |rest: &'a str| rest.split("\n```").next();
    guide.split(&opening).skip(1).filter_map(block).collect()
}

#[test]
fn the_table_of_annotations_is_the_one_in_the_code() {
    let mut table =
        String::from("| Annotation | Environment | Value | Default | |\n|---|---|---|---|---|\n");
    for known in KNOWN {
        let environment = environment_name(known.name);
        let row = [
            &format!("`{}`", known.name),
            &format!("`{environment}`"),
            known.takes,
            known.default,
            known.about,
        ];
        writeln!(table, "| {} |", row.join(" | ")).unwrap();
    }
    let guide = guide();
    let written = guide
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(table, _)| table);
    assert!(
        written == Some(&table),
        "docs/configuration.md: between the two marks it should say\n{table}"
    );
}

#[test]
fn the_examples_are_read() {
    let guide = guide();
    let [example] = blocks(&guide, "yaml")[..] else {
        panic!("one example of a function")
    };
    let file = format!("provider: {{name: openfaas}}\n{example}\n");
    let stack = Stack::parse("stack.yml", &file, |_| None).unwrap();
    let wiring = stack
        .function("payment")
        .unwrap()
        .wiring()
        .unwrap()
        .unwrap();
    assert_eq!(wiring.replies.route("payment.declined"), Some("declined"));
    assert_eq!(wiring.retry.attempts, 5);

    let filters = ["yaml filter", "sql filter", "json filter"]
        .map(|kind| blocks(&guide, kind))
        .concat();
    assert_eq!(filters.len(), 3);
    for filter in filters {
        Filter::parse(filter).unwrap();
    }
}
