//! The real of-watchdog in front of the same routes, row by row.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use openfaas_tests::contract::Subject;
use openfaas_tests::tools::{needed, repository};

use crate::rows::{self, Row};

/// The one port for metrics that of-watchdog knows.
const METRICS: u16 = 8081;

#[test]
fn of_watchdog_shows_the_same_but_for_what_the_contract_guide_lists() {
    let name = "of_watchdog_shows_the_same_but_for_what_the_contract_guide_lists";
    let Some(program) = needed("of-watchdog", name) else {
        return;
    };
    let watchdog = Subject::Watchdog(program, env!("CARGO_BIN_EXE_contract-fixture").into());
    let agreed = agreed_differences();
    let mut wrong = Vec::new();
    let mut table = String::new();
    for row in rows::all() {
        wait_for_the_metrics_port();
        let theirs = std::panic::catch_unwind(|| (row.observe)(&watchdog))
            .unwrap_or_else(|_| "could not be observed".to_owned());
        let words = words(row.name);
        let differs = theirs != row.ours;
        let verdict = match (differs, agreed.contains(&words)) {
            (false, false) => "the same",
            (true, true) => "differs, as agreed",
            (true, false) => "DIFFERS, and docs/contract.md does not say so",
            (false, true) => "IS THE SAME, while docs/contract.md says that it differs",
        };
        table += &format!("{words}\n    {verdict}: {}\n", row.ours);
        if differs {
            table += &format!("    of-watchdog: {theirs}\n");
        }
        if differs != agreed.contains(&words) {
            wrong.push(words);
        }
    }
    let known: Vec<String> = rows::all().map(|row| self::words(row.name)).collect();
    wrong.extend(
        agreed
            .into_iter()
            .filter(|words| !known.contains(words))
            .map(|words| format!("no row: {words}")),
    );
    let _ = write!(std::io::stderr(), "side by side with of-watchdog:\n{table}");
    assert!(wrong.is_empty(), "see above: {wrong:#?}");
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut names: Vec<&str> = rows::all().map(|row: &Row| row.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn the_contract_guide_names_rows_that_there_are() {
    let known: Vec<String> = rows::all().map(|row| words(row.name)).collect();
    for difference in agreed_differences() {
        assert!(
            known.contains(&difference),
            "docs/contract.md lists {difference:?}, which no row is about"
        );
    }
}

/// The first column of the table of differences in the guide, as words.
fn agreed_differences() -> Vec<String> {
    let guide = fs::read_to_string(repository().join("docs/contract.md"))
        .expect("docs/contract.md is there");
    let (_, table) = guide
        .split_once("<!-- differences -->")
        .expect("the guide has a table of differences");
    let (table, _) = table
        .split_once("<!-- end of differences -->")
        .expect("the table has an end");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.filter_map(|line| line.split('|').nth(1))
        .map(words)
        .collect()
}

/// Letters and digits alone, in lower case, with one space between words.
fn words(text: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            ' '
        }
    };
    let text: String = text.chars().map(plain).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Another of-watchdog on this machine may have it for a while.
fn wait_for_the_metrics_port() {
    let deadline = Instant::now() + Duration::from_secs(120);
    while TcpListener::bind((Ipv4Addr::UNSPECIFIED, METRICS)).is_err() {
        assert!(
            Instant::now() < deadline,
            "port {METRICS}, the only one of-watchdog knows, stays taken"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
