//! One test per rule of "Batches", each a transcript: keys of the events, the answer, what becomes of them.

use http::{HeaderMap, StatusCode};
use openfaas_cloudevents::{Data, Limits};
use proptest::prelude::*;

use super::*;
use crate::answer::State;
use crate::wiring::Codes;

/// Events with these partition keys; an empty one is none.
fn events(keys: &[&str]) -> Vec<Event> {
    let event = |(index, key): (usize, &&str)| {
        let event = Event::new("t", Data::absent())
            .with_id(index.to_string())
            .with_source("/s");
        if key.is_empty() {
            event
        } else {
            event.with_extension("partitionkey", *key)
        }
    };
    keys.iter().enumerate().map(event).collect()
}

fn answer(status: u16, body: &str) -> Answer {
    let headers = HeaderMap::from_iter([(
        http::header::CONTENT_TYPE,
        "application/json".parse().unwrap(),
    )]);
    Answer::new(
        StatusCode::from_u16(status).unwrap(),
        headers,
        body.to_owned(),
    )
}

fn judge(keys: &[&str], outcome: Outcome, codes: &str) -> BatchVerdict {
    let codes = Codes::parse(codes).unwrap();
    let rules = Rules {
        codes: &codes,
        replies: true,
        limits: &Limits::default(),
    };
    BatchVerdict::of(&events(keys), &outcome, &rules, SystemTime::UNIX_EPOCH)
}

/// What becomes of each event, a word each: its status and what that means, or `-` for one that was not tried.
fn settled(keys: &[&str], statuses: &str) -> String {
    settled_by(keys, statuses, "408,409,425,429,5xx")
}

fn settled_by(keys: &[&str], statuses: &str, codes: &str) -> String {
    let results: Vec<String> = statuses
        .split(' ')
        .map(|status| format!(r#"{{"status":{status}}}"#))
        .collect();
    let body = format!(r#"{{"results":[{}]}}"#, results.join(","));
    let BatchVerdict::Settled(verdicts) = judge(keys, Outcome::Answered(answer(207, &body)), codes)
    else {
        panic!("{body} was not settled")
    };
    let word = |verdict: &EventVerdict| match verdict {
        EventVerdict::NotTried => "-".to_owned(),
        EventVerdict::Tried { status, verdict } => {
            let meaning = match verdict {
                Verdict::Done { .. } => "done",
                Verdict::Retry { .. } => "retry",
                Verdict::Reject { .. } => "reject",
                Verdict::Unavailable(_) => "unavailable",
            };
            format!("{status}:{meaning}")
        }
    };
    verdicts.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_entry_settles_its_event_as_if_it_had_been_sent_alone() {
    assert_eq!(
        settled(&["", "", "", ""], "204 200 503 422"),
        "204:done 200:done 503:retry 422:reject"
    );
}

#[test]
fn an_event_behind_a_retry_of_its_key_was_not_tried_and_is_not_charged() {
    assert_eq!(
        settled(&["a", "b", "a", "a"], "503 204 424 424"),
        "503:retry 204:done - -"
    );
}

#[test]
fn a_rejected_event_does_not_hold_its_followers() {
    assert_eq!(settled(&["a", "a"], "422 204"), "422:reject 204:done");
    assert_eq!(settled(&["a", "a"], "422 424"), "422:reject 503:retry");
}

#[test]
fn a_424_without_a_retry_of_its_key_before_it_counts_as_503() {
    for (keys, statuses, expected) in [
        (["a", "a"], "424 204", "503:retry 204:done"),
        (["a", "a"], "204 424", "204:done 503:retry"),
        (["a", "b"], "503 424", "503:retry 503:retry"),
        (["", ""], "503 424", "503:retry 503:retry"),
        // The first one is a retry then, and the second stands behind it.
        (["a", "a"], "424 424", "503:retry -"),
    ] {
        assert_eq!(settled(&keys, statuses), expected, "{statuses}");
    }
}

#[test]
fn codes_hold_for_entries_too() {
    assert_eq!(
        settled_by(&["", "", ""], "503 404 204", "404"),
        "503:reject 404:retry 204:done"
    );
    assert_eq!(
        settled_by(&["a", "a"], "503 424", "404"),
        "503:reject 503:reject"
    );
}

#[test]
fn an_entry_carries_replies_wait_and_reason() {
    let body = r#"{"results":[
        {"status":200,"events":[{"specversion":"1.0","id":"1","source":"/p","type":"paid","data":{"total":12.50}}]},
        {"status":503,"retryAfter":1.5,"error":"the bank is busy"},
        {"status":422,"error":"unknown customer","note":"from a newer version"},
        {"status":202,"events":[{"specversion":"1.0","id":"1","source":"/p","type":"paid"}]}
    ]}"#;
    let BatchVerdict::Settled(verdicts) = judge(
        &["", "", "", ""],
        Outcome::Answered(answer(207, body)),
        "5xx",
    ) else {
        panic!()
    };
    let EventVerdict::Tried {
        status: 200,
        verdict: Verdict::Done { replies },
    } = &verdicts[0]
    else {
        panic!()
    };
    assert_eq!(replies[0].ty(), "paid");
    assert_eq!(replies[0].data().bytes(), r#"{"total":12.50}"#);
    let retry = Verdict::Retry {
        after: Some(Duration::from_millis(1500)),
        reason: "answered 503: the bank is busy".to_owned(),
    };
    assert_eq!(
        verdicts[1],
        EventVerdict::Tried {
            status: 503,
            verdict: retry
        }
    );
    let reject = Verdict::Reject {
        reason: "answered 422: unknown customer".to_owned(),
    };
    assert_eq!(
        verdicts[2],
        EventVerdict::Tried {
            status: 422,
            verdict: reject
        }
    );
    let done = Verdict::Done { replies: vec![] };
    assert_eq!(
        verdicts[3],
        EventVerdict::Tried {
            status: 202,
            verdict: done
        }
    );
}

#[test]
fn a_broken_reply_is_a_retry_and_holds_its_followers() {
    let body = r#"{"results":[{"status":200,"events":[{"specversion":"1.0"}]},{"status":424}]}"#;
    let BatchVerdict::Settled(verdicts) =
        judge(&["a", "a"], Outcome::Answered(answer(207, body)), "5xx")
    else {
        panic!()
    };
    assert!(
        matches!(
            &verdicts[0],
            EventVerdict::Tried {
                verdict: Verdict::Retry { .. },
                ..
            }
        ),
        "{verdicts:?}"
    );
    assert_eq!(verdicts[1], EventVerdict::NotTried);
}

#[test]
fn a_retry_with_a_retry_after_is_one_whatever_the_codes_say() {
    let body = r#"{"results":[{"status":503,"retryAfter":2},{"status":503,"retryAfter":0},
        {"status":503,"retryAfter":0,"wait":"back-off"}]}"#;
    let outcome = Outcome::Answered(answer(207, body));
    let BatchVerdict::Settled(verdicts) = judge(&["", "", ""], outcome, "404") else {
        panic!()
    };
    let after = verdicts.iter().map(|verdict| match verdict {
        EventVerdict::Tried {
            verdict: Verdict::Retry { after, .. },
            ..
        } => *after,
        other => panic!("{other:?}"),
    });
    let expected = [Some(Duration::from_secs(2)), Some(Duration::ZERO), None];
    assert_eq!(after.collect::<Vec<_>>(), expected);
}

#[test]
fn a_207_without_one_valid_entry_per_event_settles_nothing() {
    for body in [
        "",
        "{}",
        "[]",
        r#"{"results":[]}"#,
        r#"{"results":[{"status":204}]}"#,
        r#"{"results":[{"status":204},{"status":204},{"status":204}]}"#,
        r#"{"results":[{"status":204},{}]}"#,
        r#"{"results":[{"status":204},null]}"#,
        r#"{"results":[{"status":204},{"status":100}]}"#,
        r#"{"results":[{"status":204},{"status":600}]}"#,
        r#"{"results":[{"status":204},{"status":"204"}]}"#,
        r#"{"results":[{"status":204},{"status":503,"retryAfter":-1}]}"#,
        r#"{"results":[{"status":204},{"status":503,"retryAfter":1e300}]}"#,
        r#"{"results":[{"status":204},{"status":204}]} and more"#,
    ] {
        let verdict = judge(&["", ""], Outcome::Answered(answer(207, body)), "5xx");
        assert!(
            matches!(verdict, BatchVerdict::Unsupported { .. }),
            "{body}: {verdict:?}"
        );
    }
}

#[test]
fn other_statuses_say_that_batches_are_not_known() {
    for status in [200, 201, 202, 204, 400, 415, 422] {
        let verdict = judge(&["", ""], Outcome::Answered(answer(status, "ok")), "5xx");
        assert!(
            matches!(verdict, BatchVerdict::Unsupported { .. }),
            "{status}: {verdict:?}"
        );
    }
}

#[test]
fn anything_else_splits_the_batch_after_its_wait() {
    for status in [302, 401, 404, 413, 429, 500, 503, 504] {
        let mut answer = answer(status, "no");
        answer.headers.insert("retry-after", "7".parse().unwrap());
        let expected = Some(Duration::from_secs(7));
        match judge(&["", ""], Outcome::Answered(answer), "5xx") {
            BatchVerdict::Split { after, .. } => assert_eq!(after, expected, "{status}"),
            other => panic!("{status}: {other:?}"),
        }
    }
    let late = judge(&["", ""], Outcome::TimedOut, "5xx");
    assert!(
        matches!(late, BatchVerdict::Split { after: None, .. }),
        "{late:?}"
    );
    let oversized = Answer {
        oversized: true,
        ..answer(207, "")
    };
    let verdict = judge(&["", ""], Outcome::Answered(oversized), "5xx");
    assert!(
        matches!(verdict, BatchVerdict::Split { after: None, .. }),
        "{verdict:?}"
    );
}

#[test]
fn what_is_no_answer_waits() {
    let mut full = answer(429, "");
    full.headers
        .insert("x-openfaas-internal", "openfaas-runtime".parse().unwrap());
    for (outcome, expected) in [
        (Outcome::Refused("refused".into()), State::Down),
        (Outcome::Cut("reset".into()), State::Died),
        (Outcome::CutShort("end".into()), State::Died),
        (Outcome::Answered(full), State::Full),
    ] {
        let BatchVerdict::Unavailable(unavailable) = judge(&["", ""], outcome, "5xx") else {
            panic!()
        };
        assert_eq!(unavailable.state, expected);
    }
}

#[test]
fn what_the_runtime_writes_is_read_back() {
    let reply = Event::new("paid", Data::json(r#"{"total":12.50}"#))
        .with_id("1")
        .with_source("/p");
    let written = BatchAnswer {
        results: vec![
            Entry::done(),
            Entry::replied(std::slice::from_ref(&reply)).unwrap(),
            Entry::replied(&[]).unwrap(),
            Entry::retry(Some(Duration::from_secs(5)), "busy"),
            Entry::not_tried(),
            Entry::rejected("never"),
        ],
    };
    let body = serde_json::to_string(&written).unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"results":[{"status":204},"#,
            r#"{"status":200,"events":[{"specversion":"1.0","type":"paid","id":"1","source":"/p","data":{"total":12.50}}]},"#,
            r#"{"status":204},{"status":503,"retryAfter":5,"error":"busy"},{"status":424},{"status":422,"error":"never"}]}"#
        )
    );
    let keys = ["", "", "", "a", "a", ""];
    let BatchVerdict::Settled(verdicts) =
        judge(&keys, Outcome::Answered(answer(207, &body)), "5xx")
    else {
        panic!()
    };
    let done = Verdict::Done {
        replies: vec![reply],
    };
    assert_eq!(
        verdicts[1],
        EventVerdict::Tried {
            status: 200,
            verdict: done
        }
    );
    assert_eq!(verdicts[4], EventVerdict::NotTried);
}

/// Any JSON that might stand in an entry.
fn entry() -> impl Strategy<Value = String> {
    let status = prop_oneof![
        4 => prop::sample::select(vec![200_u16, 204, 422, 424, 503]),
        1 => any::<u16>(),
    ];
    let rest = prop::sample::select(vec![
        "",
        r#","retryAfter":1"#,
        r#","retryAfter":-0.5"#,
        r#","error":"why""#,
        r#","events":[]"#,
        r#","events":[{}]"#,
        r#","events":7"#,
    ]);
    (status, rest).prop_map(|(status, rest)| format!(r#"{{"status":{status}{rest}}}"#))
}

proptest! {
    #[test]
    fn a_207_settles_every_event_or_none(
        keys in prop::collection::vec(prop::sample::select(vec!["", "a", "b"]), 1..6),
        entries in prop::collection::vec(entry(), 0..6),
        cut in 0_usize..400,
    ) {
        let body = format!(r#"{{"results":[{}]}}"#, entries.join(","));
        let body = &body[..body.len().min(cut * 2)];
        match judge(&keys, Outcome::Answered(answer(207, body)), "5xx") {
            BatchVerdict::Settled(verdicts) => {
                prop_assert_eq!(verdicts.len(), keys.len());
                // Who was not tried stands behind a retry of the same key.
                for (index, verdict) in verdicts.iter().enumerate() {
                    let behind = keys[..index].iter().zip(&verdicts).any(|(key, earlier)| {
                        let retry = matches!(earlier, EventVerdict::Tried { verdict: Verdict::Retry { .. }, .. });
                        *key == keys[index] && retry
                    });
                    prop_assert!(*verdict != EventVerdict::NotTried || (behind && !keys[index].is_empty()));
                }
            }
            BatchVerdict::Unsupported { .. } => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
