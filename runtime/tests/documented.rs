//! `docs/configuration.md` names each variable that a function reads, and no other.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use openfaas_runtime::Config;

/// The variables that are read where these are set.
fn read(pairs: &[(&str, &str)]) -> BTreeSet<String> {
    let keys = RefCell::new(BTreeSet::new());
    Config::from_lookup(|key| {
        keys.borrow_mut().insert(key.to_owned());
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    })
    .unwrap();
    keys.into_inner()
}

/// What stands in backticks in the first column of the table of the environment.
fn documented(text: &str) -> BTreeSet<String> {
    let table = text.split_once("<!-- environment -->").unwrap().1;
    let table = table.split_once("<!-- end of environment -->").unwrap().0;
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_variable_that_is_read_is_documented_and_no_other() {
    // A copy of the runtime in somebody's function has no docs folder beside it.
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let Ok(text) = std::fs::read_to_string(docs) else {
        return;
    };
    let exporting = [
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
    ];
    let mut read = read(&exporting);
    read.append(&mut self::read(&[]));
    if cfg!(feature = "tls") {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4318");
        let behind_tls: Vec<_> = exporting.into_iter().chain([endpoint]).collect();
        read.append(&mut self::read(&behind_tls));
    }
    let documented = documented(&text);
    let missing: Vec<_> = read.difference(&documented).collect();
    let idle: Vec<_> = documented.difference(&read).collect();
    assert!(missing.is_empty(), "read and not documented: {missing:#?}");
    assert!(idle.is_empty(), "documented and never read: {idle:#?}");
}
