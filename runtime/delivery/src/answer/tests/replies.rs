//! Which answers are replies, and what becomes of those that are not.

use super::*;

const EVENT: &[(&str, &str)] = &[
    TEXT,
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/pay"),
    ("ce-type", "paid"),
];
const STRUCTURED: &str = r#"{"specversion":"1.0","id":"1","source":"/pay","type":"paid"}"#;
const DOCUMENT: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");

/// The types of the replies of an answer.
fn replies(answer: Answer) -> Vec<String> {
    match of(answer) {
        Verdict::Done { replies } => replies.iter().map(|reply| reply.ty().to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_hundred_and_two_hundred_one_with_cloudevents_are_replies() {
    for status in [200, 201] {
        assert_eq!(replies(answer(status, EVENT, "ok")), ["paid"]);
        assert_eq!(replies(answer(status, &[DOCUMENT], STRUCTURED)), ["paid"]);
        let batch = format!("[{STRUCTURED},{STRUCTURED}]");
        assert_eq!(replies(answer(status, &[BATCH], &batch)), ["paid", "paid"]);
        assert_eq!(replies(answer(status, &[BATCH], "[]")), [""; 0]);
    }
}

#[test]
fn no_other_status_has_replies() {
    for status in [202, 203, 204, 206, 207] {
        assert_eq!(replies(answer(status, EVENT, "ok")), [""; 0], "{status}");
    }
}

#[test]
fn a_plain_200_becomes_a_reply_and_its_body_is_untouched() {
    let body = "{\"paid\": 12.50 }\n";
    let Verdict::Done { replies } = of(answer(
        200,
        &[("content-type", "application/json; charset=utf-8")],
        body,
    )) else {
        panic!()
    };
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].ty(), "openfaas.reply");
    assert_eq!(
        replies[0].datacontenttype(),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(replies[0].data().bytes(), body);
    assert_eq!((replies[0].id(), replies[0].source()), ("", ""));
}

#[test]
fn an_empty_200_and_a_plain_201_are_no_replies() {
    assert_eq!(replies(answer(200, &[TEXT], "")), [""; 0]);
    assert_eq!(replies(answer(201, &[TEXT], "created")), [""; 0]);
}

#[test]
fn a_media_type_that_is_none_is_left_out_of_a_wrapped_reply() {
    let Verdict::Done { replies } = of(answer(200, &[("content-type", "nonsense")], "x")) else {
        panic!()
    };
    assert_eq!(replies[0].datacontenttype(), None);
}

#[test]
fn a_broken_cloudevent_is_a_retry_and_never_wrapped() {
    for (headers, body) in [
        (
            [("ce-specversion", "1.0"), TEXT].as_slice(),
            "no id, source, type",
        ),
        (&[DOCUMENT], "{"),
        (&[DOCUMENT], r#"{"specversion":"1.0"}"#),
        (&[BATCH], STRUCTURED),
    ] {
        let Verdict::Retry {
            after: None,
            reason,
        } = of(answer(200, headers, body))
        else {
            panic!("{body}")
        };
        assert!(
            reason.starts_with("its reply is a broken CloudEvent: "),
            "{reason}"
        );
    }
}

#[test]
fn without_a_reply_topic_the_body_is_ignored() {
    for (headers, body) in [
        ([TEXT].as_slice(), "plain"),
        (EVENT, "event"),
        (&[DOCUMENT], "{"),
    ] {
        let outcome = Outcome::Answered(answer(200, headers, body));
        assert_eq!(
            judge(&outcome, &Codes::default(), false),
            Verdict::Done { replies: vec![] }
        );
    }
    let oversized = Answer {
        oversized: true,
        ..answer(200, &[TEXT], "")
    };
    let outcome = Outcome::Answered(oversized);
    assert_eq!(
        judge(&outcome, &Codes::default(), false),
        Verdict::Done { replies: vec![] }
    );
}

#[test]
fn a_reply_that_is_too_large_is_a_dead_letter_without_another_call() {
    let oversized = Answer {
        oversized: true,
        ..answer(200, &[TEXT], "")
    };
    let Verdict::Reject { reason } = of(oversized) else {
        panic!()
    };
    assert_eq!(reason, "its answer is larger than 1024 bytes");
    let large = format!(
        r#"{{"specversion":"1.0","id":"1","source":"/","type":"x","data":"{}"}}"#,
        "x".repeat(1024)
    );
    let Verdict::Reject { reason } = of(answer(200, &[DOCUMENT], &large)) else {
        panic!()
    };
    assert!(reason.starts_with("its reply is too large: "), "{reason}");
    let failed = Answer {
        oversized: true,
        ..answer(500, &[TEXT], "")
    };
    assert_eq!(word(&of(failed)), "retry");
}
