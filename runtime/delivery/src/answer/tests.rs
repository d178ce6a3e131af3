//! One row per sentence of "Calls and answers".

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::*;

mod replies;

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
        (503, &[TEXT, ("retry-after", "0")], "retry"),
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
fn a_retry_after_of_nought_is_a_wait_unless_the_answer_leaves_it_to_back_off() {
    let nought = ("retry-after", "0");
    for (headers, expected) in [
        ([TEXT, nought].as_slice(), Some(Duration::ZERO)),
        (&[TEXT, nought, (WAIT, BACK_OFF)], None),
        (&[TEXT, nought, (WAIT, "soon")], Some(Duration::ZERO)),
    ] {
        for codes in ["503", "404"] {
            let outcome = Outcome::Answered(answer(503, headers, ""));
            let verdict = judge(&outcome, &Codes::parse(codes).unwrap(), true);
            let Verdict::Retry { after, .. } = verdict else {
                panic!("{headers:?} {codes}: {verdict:?}");
            };
            assert_eq!(after, expected, "{headers:?} {codes}");
        }
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
    assert_eq!(
        unavailable.reason,
        "openfaas-runtime answered 429 Too Many Requests"
    );
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
