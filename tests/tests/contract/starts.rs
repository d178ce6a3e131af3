//! What a function says when it cannot start: one sentence, exit code 1, before anything listens.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::runtime;

/// What it says, if it ends with code 1 and never listened.
fn complaint(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut process = runtime().launch(environment, arguments);
    let code = process.end().code();
    process.wait_for("its words", |process| !process.output().is_empty());
    let output = process.output();
    assert_eq!(code, Some(1), "{output}");
    assert_eq!(output.lines().count(), 1, "one sentence: {output}");
    output
}

/// What is right where a duration is wrong.
const DURATION: &str = "whole seconds or a duration like 1m30s";

#[test]
fn a_bad_value_is_named_with_its_key_and_what_would_be_right() {
    for (key, value, right) in [
        ("port", "http", "a port from 0 to 65535"),
        ("port", "70000", "a port from 0 to 65535"),
        ("metrics_port", "-1", "a port from 0 to 65535"),
        ("read_timeout", "soon", DURATION),
        ("write_timeout", "-1s", DURATION),
        ("exec_timeout", "1x", DURATION),
        ("healthcheck_interval", "1 minute", DURATION),
        ("init_grace", "?", DURATION),
        ("drain_quiet", "?", DURATION),
        ("drain_timeout", "?", DURATION),
        ("max_queue_wait", "?", DURATION),
        ("max_inflight", "many", "a whole number"),
        ("max_queue", "-1", "a whole number"),
        (
            "max_body",
            "10MB",
            "a number of bytes, like 1048576 or 10MiB",
        ),
        ("suppress_lock", "maybe", "true or false"),
        ("log_callid", "x", "true or false"),
        ("events_max_hops", "0", "a whole number from 1 to 1000"),
        ("ready_path", "ready", "a path that begins with /"),
        ("gateway_url", "gateway:8080", "an http://"),
        ("listen_address", "localhost", "an IP address"),
        ("write_timeout", "0", "more than 0"),
    ] {
        let sentence = complaint(&[(key, value)], &[]);
        assert!(sentence.contains(&format!("{key}={value}")), "{sentence}");
        assert!(sentence.contains(right), "{sentence}");
    }
}

#[test]
fn token_checks_that_cannot_be_done_are_refused_in_one_sentence() {
    let sentence = complaint(&[("jwt_auth", "true")], &[]);
    assert!(sentence.contains("jwt_auth=true"), "{sentence}");
    let mut process = runtime().launch(&[("jwt_auth", "false")], &[]);
    process.wait_for("an answer", |process| {
        process.try_get("/_/health").is_some()
    });
}

#[test]
fn a_taken_port_is_named_with_the_variable_that_chooses_another() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for variable in ["port", "metrics_port"] {
        let sentence = complaint(&[(variable, &port)], &[]);
        assert!(
            sentence.contains(&port) && sentence.contains(&format!("`{variable}`")),
            "{sentence}"
        );
    }
}

#[test]
fn an_initialiser_that_fails_ends_the_process_with_its_reason() {
    let mut process = runtime().launch(&[("fixture_init_fails", "no database at db:5432")], &[]);
    assert_eq!(process.end().code(), Some(1));
    process.wait_for("its reason", |process| {
        process.output().contains("no database at db:5432")
    });
}

#[test]
fn the_healthcheck_flag_needs_a_valid_configuration_too() {
    let sentence = complaint(&[("exec_timeout", "soon")], &["-run-healthcheck"]);
    assert!(sentence.contains("exec_timeout=soon"), "{sentence}");
}

#[test]
fn the_version_is_told_whatever_the_configuration() {
    let mut process = runtime().launch(&[("exec_timeout", "soon")], &["-version"]);
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn health_waits_for_the_initialiser_no_longer_than_init_grace_and_ready_and_calls_wait_on() {
    let mut process = runtime().launch(&[("fixture_init", "1500ms"), ("init_grace", "300ms")], &[]);
    process.wait_for("an answer", |process| {
        process.try_get("/_/health").is_some()
    });
    assert_eq!(process.get("/_/health").status, 503);
    process.wait_for("the end of the grace", |process| {
        process.get("/_/health").status == 200
    });
    assert_eq!(process.get("/_/ready").status, 503);
    assert_eq!(process.get("/status/200").summary(), "200 \"status 200\"");
    assert_eq!(process.get("/_/ready").status, 200);
}

#[test]
fn a_call_waits_for_the_initialiser_only_within_its_deadline() {
    let mut process = runtime().launch(&[("fixture_init", "30s"), ("exec_timeout", "300ms")], &[]);
    process.wait_for("an answer", |process| {
        process.try_get("/_/health").is_some()
    });
    assert_eq!(process.get("/status/200").status, 504);
}

#[test]
fn a_signal_during_the_initialiser_ends_the_process_at_once() {
    let mut process = runtime().launch(
        &[("fixture_init", "60s"), ("healthcheck_interval", "0")],
        &[],
    );
    process.wait_for("an answer", |process| {
        process.try_get("/_/health").is_some()
    });
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(
        process.code_within(Duration::from_secs(5)),
        Some(0),
        "{}",
        process.output()
    );
}

#[test]
fn the_readiness_check_decides_over_ready_and_its_words_are_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready");
    let process = runtime().start(&[("fixture_ready_file", file.to_str().unwrap())]);
    let reply = process.get("/_/ready");
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("not yet"), "{reply:?}");
    std::fs::write(&file, "").unwrap();
    assert_eq!(process.get("/_/ready").summary(), "200 \"\"");
    assert_eq!(process.get("/_/health").status, 200, "which never asks it");
}
