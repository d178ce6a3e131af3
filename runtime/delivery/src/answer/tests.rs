//! One row per sentence of "Calls and answers".

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::*;

/// An answer written as its status, headers and body.
fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let header = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    Answer::new(
        StatusCode::from_u16(status).unwrap(),
        headers,
        body.to_owned(),
    )
}

fn judge(outcome: &Outcome, codes: &Codes, replies: bool) -> Verdict {
    let now = httpdate::parse_http_date("Sat, 21 Nov 2026 11:33:20 GMT").unwrap();
    let limits = Limits::default().with_body(1024);
    Verdict::of(
        outcome,
        &Rules {
            codes,
            replies,
            limits: &limits,
        },
        now,
    )
}

fn of(answer: Answer) -> Verdict {
    judge(&Outcome::Answered(answer), &Codes::default(), true)
}

/// The verdict in one word.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done { .. } => "done",
        Verdict::Retry { .. } => "retry",
        Verdict::Reject { .. } => "reject",
        Verdict::Unavailable(Unavailable { state, .. }) => match state {
            State::Down => "down",
            State::Full => "full",
            State::Died => "died",
        },
    }
}

const TEXT: (&str, &str) = ("content-type", "text/plain");

#[test]
fn statuses_mean_done_again_or_never() {
    for (statuses, expected) in [
        ([200, 201, 202, 204, 206, 207, 299].as_slice(), "done"),
        (&[408, 409, 425, 429, 500, 501, 502, 503, 504, 599], "retry"),
        (
            &[
                300, 301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 415, 422, 424, 499,
            ],
            "reject",
        ),
    ] {
        for status in statuses {
            assert_eq!(
                word(&of(answer(*status, &[TEXT], ""))),
                expected,
                "{status}"
            );
        }
    }
}

#[test]
fn codes_replace_the_set_but_a_503_with_retry_after_is_always_a_retry() {
    let codes = Codes::parse("404").unwrap();
    for (status, headers, expected) in [
        (404, [TEXT].as_slice(), "retry"),
        (429, &[TEXT], "reject"),
        (500, &[TEXT], "reject"),
        (503, &[TEXT], "reject"),
        (503, &[TEXT, ("retry-after", "5")], "retry"),
        (503, &[TEXT, ("retry-after", "soon")], "reject"),
        (500, &[TEXT, ("retry-after", "5")], "reject"),
    ] {
        let outcome = Outcome::Answered(answer(status, headers, ""));
        assert_eq!(
            word(&judge(&outcome, &codes, true)),
            expected,
            "{status} {headers:?}"
        );
    }
}

#[test]
fn a_retry_says_when_and_why() {
    for (retry_after, seconds) in [("30", 30), ("Sat, 21 Nov 2026 11:34:20 GMT", 60)] {
        let verdict = of(answer(
            503,
            &[TEXT, ("retry-after", retry_after)],
            "the bank is busy\n",
        ));
        let expected = Verdict::Retry {
            after: Some(Duration::from_secs(seconds)),
            reason: "answered 503 Service Unavailable: the bank is busy".to_owned(),
        };
        assert_eq!(verdict, expected);
    }
}

#[test]
fn a_rejection_says_why_and_no_more_than_is_readable() {
    let long = format!("unknown\u{7} customer {}", "x".repeat(2000));
    let Verdict::Reject { reason } = of(answer(422, &[TEXT], &long)) else {
        panic!()
    };
    assert!(
        reason.starts_with("answered 422 Unprocessable Entity: unknown  customer xxx"),
        "{reason}"
    );
    assert!(reason.len() < 600);
    let Verdict::Reject { reason } = of(answer(400, &[TEXT], "")) else {
        panic!()
    };
    assert_eq!(reason, "answered 400 Bad Request");
}

#[test]
fn what_does_not_come_by_the_deadline_is_a_504() {
    assert_eq!(
        word(&judge(&Outcome::TimedOut, &Codes::default(), true)),
        "retry"
    );
    let without = Codes::parse("503").unwrap();
    assert_eq!(word(&judge(&Outcome::TimedOut, &without, true)), "reject");
}

#[test]
fn refused_is_down_and_cut_is_dead() {
    for (outcome, expected) in [
        (Outcome::Refused("connection refused".into()), "down"),
        (Outcome::Cut("connection reset".into()), "died"),
        (Outcome::CutShort("unexpected end".into()), "died"),
    ] {
        assert_eq!(word(&judge(&outcome, &Codes::default(), true)), expected);
    }
}

#[test]
fn an_internal_answer_of_others_is_no_answer() {
    for by in ["of-watchdog", "faas-middleware", "proxy", "provider", ""] {
        for (status, expected) in [
            (401, "down"),
            (403, "down"),
            (429, "full"),
            (500, "died"),
            (502, "died"),
            (503, "down"),
            (404, "reject"),
            (504, "retry"),
            (200, "done"),
        ] {
            let verdict = of(answer(status, &[TEXT, (INTERNAL, by)], ""));
            assert_eq!(word(&verdict), expected, "{status} by {by:?}");
        }
    }
}

#[test]
fn of_this_runtimes_internal_answers_only_full_and_not_ready_are_none() {
    for by in ["openfaas-runtime", "OpenFaaS-Runtime"] {
        for (status, expected) in [
            (429, "full"),
            (503, "down"),
            (401, "reject"),
            (403, "reject"),
            (500, "retry"),
            (502, "retry"),
            (504, "retry"),
        ] {
            let verdict = of(answer(status, &[TEXT, (INTERNAL, by)], ""));
            assert_eq!(word(&verdict), expected, "{status}");
        }
    }
}

#[test]
fn a_function_that_is_full_may_say_when_to_come_back() {
    let full = answer(429, &[TEXT, (INTERNAL, RUNTIME), ("retry-after", "2")], "");
    let Verdict::Unavailable(unavailable) = of(full) else {
        panic!()
    };
    assert_eq!(unavailable.after, Some(Duration::from_secs(2)));
    assert_eq!(unavailable.reason, "answered 429 Too Many Requests");
}

#[test]
fn the_gateways_own_words_are_no_answer() {
    for (status, headers, body, expected) in [
        (
            404,
            [TEXT].as_slice(),
            "error finding function order.openfaas-fn: not found",
            "down",
        ),
        (
            500,
            &[TEXT],
            "error finding function order.openfaas-fn: timeout",
            "down",
        ),
        (
            405,
            &[TEXT],
            "Function invocations disabled, upgrade",
            "down",
        ),
        (404, &[], "", "down"),
        (502, &[], "", "died"),
        (503, &[], "", "down"),
        // The same statuses from the function: behind a provider it always has a Content-Type.
        (404, &[TEXT], "", "reject"),
        (502, &[TEXT], "", "retry"),
        (503, &[TEXT], "", "retry"),
        (404, &[], "no such order", "reject"),
        (
            404,
            &[TEXT],
            "there was an error finding function f",
            "reject",
        ),
        (400, &[TEXT], "error finding function", "reject"),
        (500, &[], "", "retry"),
        (405, &[], "", "reject"),
    ] {
        assert_eq!(
            word(&of(answer(status, headers, body))),
            expected,
            "{status} {headers:?} {body:?}"
        );
    }
}

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

proptest! {
    #[test]
    fn every_answer_has_one_verdict(
        status in 100_u16..1000,
        by in prop::option::of("[a-z-]{0,12}"),
        typed: bool,
        body in "\\PC{0,40}",
    ) {
        let mut headers = vec![];
        if let Some(by) = &by {
            headers.push((INTERNAL, by.as_str()));
        }
        if typed {
            headers.push(TEXT);
        }
        let answer = answer(status, &headers, &body);
        let own = is_own(&answer);
        let verdict = of(answer);
        prop_assert_eq!(own, !matches!(verdict, Verdict::Unavailable(_)));
        prop_assert!(own || matches!(status, 401 | 403 | 404 | 405 | 429 | 500 | 502 | 503));
        if let (200..=299, true) = (status, own) {
            prop_assert_eq!(word(&verdict), "done");
        }
    }
}
