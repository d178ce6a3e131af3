//! A function of events, called over HTTP.

use openfaas_tests::contract::{Process, Reply};

use crate::runtime;

fn start(environment: &[(&str, &str)]) -> Process {
    let mut all = vec![("fixture_events", "1"), ("OPENFAAS_NAME", "fixture")];
    all.extend(environment);
    runtime().start(&all)
}

fn binary(process: &Process, ty: &str, more: &[(&str, &str)], body: &str) -> Reply {
    let mut headers = vec![
        ("ce-specversion", "1.0"),
        ("ce-id", "cause-1"),
        ("ce-source", "/test"),
        ("ce-type", ty),
        ("Content-Type", "application/json"),
    ];
    headers.extend(more);
    process.call("POST", "/", &headers, body)
}

fn structured(process: &Process, ty: &str) -> Reply {
    let body = format!(
        r#"{{"specversion":"1.0","id":"s-1","source":"/test","type":"{ty}","data":[1, 2]}}"#
    );
    process.call(
        "POST",
        "/",
        &[("Content-Type", "application/cloudevents+json")],
        &body,
    )
}

#[test]
fn each_outcome_has_its_status() {
    let process = start(&[]);
    assert_eq!(binary(&process, "done", &[], "{}").summary(), "204 \"\"");
    let retry = binary(&process, "retry", &[], "{}");
    assert_eq!(
        (
            retry.status,
            retry.header("retry-after"),
            retry.body.as_str()
        ),
        (503, Some("7"), "busy")
    );
    assert_eq!(
        retry.header("x-openfaas-internal"),
        None,
        "the function itself said it"
    );
    assert_eq!(
        binary(&process, "reject", &[], "{}").summary(),
        "422 \"never\""
    );
}

#[test]
fn a_reply_is_a_binary_event_of_a_known_length_that_names_its_cause() {
    let process = start(&[]);
    let reply = binary(
        &process,
        "reply",
        &[
            ("ce-partitionkey", "Euro%20%E2%82%AC"),
            ("X-Delivery-Attempt", "4"),
        ],
        "{\"a\": 1.50}",
    );
    assert_eq!(reply.summary(), "200 \"{\\\"a\\\": 1.50}\"");
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-type", "replied"),
        ("ce-source", "/function/fixture"),
        ("ce-causationid", "cause-1"),
        ("ce-hopcount", "1"),
        ("ce-attempt", "4"),
        ("ce-partitionkey", "Euro%20%E2%82%AC"),
        ("content-length", "11"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}: {reply:?}");
    }
    let again = binary(&process, "reply", &[], "{\"a\": 1.50}");
    assert_eq!(
        again.header("ce-id"),
        reply.header("ce-id"),
        "the same cause, the same id"
    );
}

#[test]
fn structured_events_are_read_in_any_case_of_their_media_type() {
    let process = start(&[]);
    assert_eq!(structured(&process, "reply").summary(), "200 \"[1, 2]\"");
    let body = r#"{"specversion":"1.0","id":"s-1","source":"/test","type":"done"}"#;
    let media_type = "Application/CloudEvents+JSON; Charset=UTF-8";
    assert_eq!(
        process
            .call("POST", "/", &[("content-type", media_type)], body)
            .status,
        204
    );
}

#[test]
fn a_batch_is_answered_entry_by_entry() {
    let process = start(&[]);
    let event = |id: &str, ty: &str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"{ty}"}}"#)
    };
    let body = format!(
        "[{},{},{}]",
        event("1", "done"),
        event("2", "reject"),
        event("3", "retry")
    );
    let reply = process.call(
        "POST",
        "/",
        &[("Content-Type", "application/cloudevents-batch+json")],
        &body,
    );
    assert_eq!(reply.status, 207);
    let answer: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let statuses: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["status"].clone())
        .collect();
    assert_eq!(statuses, [204, 422, 503]);
    assert_eq!(answer["results"][2]["retryAfter"], 7);
}

#[test]
fn what_is_no_cloudevent_becomes_one() {
    let process = start(&[]);
    assert_eq!(
        process
            .call(
                "POST",
                "/any/path",
                &[("Content-Type", "text/plain")],
                "hello"
            )
            .status,
        204
    );
    assert_eq!(process.call("GET", "/", &[], "").status, 204);
}

#[test]
fn a_broken_cloudevent_is_400_with_a_sentence_that_hides_the_value() {
    let process = start(&[]);
    for (headers, body, sentence) in [
        (
            vec![("ce-time", "hunter2")],
            "{}",
            "attribute `time` is not an RFC 3339 time",
        ),
        (
            vec![("ce-subject", "%C0%A0")],
            "{}",
            "attribute `subject` is not UTF-8",
        ),
        (
            vec![("ce-id", "another")],
            "{}",
            "`id` is there more than once",
        ),
        (
            vec![("ce-datacontenttype", "text/plain")],
            "{}",
            "`datacontenttype` has a header of its own",
        ),
    ] {
        let reply = binary(&process, "done", &headers, body);
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(
            reply.body.contains(sentence) && !reply.body.contains("hunter2"),
            "{}",
            reply.body
        );
    }
    for body in ["", "{", "[]", r#"{"specversion":"1.0"}"#] {
        let reply = process.call(
            "POST",
            "/",
            &[("Content-Type", "application/cloudevents+json")],
            body,
        );
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
    }
}

#[test]
fn a_body_of_ten_mib_is_taken_and_one_byte_more_is_413() {
    let process = start(&[]);
    assert_eq!(
        binary(&process, "done", &[], &"x".repeat(10 << 20)).status,
        204
    );
    let mut socket = process.connect();
    socket.send(format!(
        "POST / HTTP/1.1\r\nHost: f\r\nContent-Length: {}\r\n\r\n",
        (10 << 20) + 1
    ));
    assert_eq!(
        socket.reply().expect("an answer before the body").status,
        413
    );
}

#[test]
fn attributes_beyond_64_kib_are_refused() {
    let process = start(&[]);
    assert_eq!(
        binary(
            &process,
            "done",
            &[("ce-large", &"x".repeat(60 << 10))],
            "{}"
        )
        .status,
        204
    );
    let reply = binary(
        &process,
        "done",
        &[("ce-large", &"x".repeat(70 << 10))],
        "{}",
    );
    assert!((400..500).contains(&reply.status), "{reply:?}");
}
