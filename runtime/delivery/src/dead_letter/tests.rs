//! What a letter keeps, what its notes say, and how it goes back.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn position(log: &str, offset: u64) -> Position {
    Position {
        log: log.into(),
        offset,
    }
}

fn message(headers: &[(&str, &str)]) -> Message {
    let header = |(name, value): &(&str, &str)| Header::new(*name, value.to_string());
    Message {
        topic: "orders".into(),
        position: position("orders/3", 17),
        time: Some(UNIX_EPOCH + Duration::from_millis(1_795_260_800_000)),
        key: Some(Bytes::from_static(b"\xff customer")),
        headers: headers.iter().map(header).collect(),
        body: Some(Bytes::from_static(b"\x00 not text")),
    }
}

fn notes(message: &Message, reason: &str) -> Notes {
    let at = UNIX_EPOCH + Duration::from_secs(1_795_260_801);
    Notes::on(message, "openfaas-fn", "order").because(reason, 3, at, "openfaas-local")
}

/// A publication as it comes back from the broker.
fn stored(publication: Publication, log: &str, offset: u64) -> Message {
    let Publication {
        topic,
        key,
        headers,
        body,
        ..
    } = publication;
    Message {
        topic,
        position: position(log, offset),
        time: Some(UNIX_EPOCH),
        key,
        headers,
        body,
    }
}

fn letter_about(message: &Message) -> Message {
    let letter = letter(
        message,
        "dead-letter.openfaas-fn.order",
        &notes(message, "unknown customer"),
    );
    stored(letter, "dead/0", 5)
}

fn names(headers: &[Header]) -> Vec<&str> {
    headers.iter().map(|header| header.name.as_str()).collect()
}

#[test]
fn a_letter_is_the_original_with_one_header_more() {
    let mut message = message(&[("ce-id", "1"), ("CE-Odd", "x"), ("ce-id", "twice")]);
    message.headers.push(Header {
        name: "null".into(),
        value: None,
    });
    let letter = letter(
        &message,
        "dead-letter.openfaas-fn.order",
        &notes(&message, "unknown customer"),
    );
    assert_eq!(&*letter.topic, "dead-letter.openfaas-fn.order");
    assert_eq!((&letter.key, &letter.body), (&message.key, &message.body));
    assert_eq!(letter.headers[..4], message.headers);
    assert_eq!(names(&letter.headers[4..]), ["openfaas-dead-letter"]);
}

#[test]
fn the_notes_say_why_how_often_when_and_by_whom() {
    let letter = letter_about(&message(&[]));
    assert_eq!(
        letter.headers[0].text(),
        Some(concat!(
            r#"{"function":"order","namespace":"openfaas-fn","topic":"orders","log":"orders/3","offset":17,"#,
            r#""attempts":3,"time":"2026-11-21T11:33:21Z","by":"openfaas-local","reason":"unknown customer"}"#
        ))
    );
    assert_eq!(
        Notes::of(&letter),
        Some(notes(&message(&[]), "unknown customer"))
    );
}

#[test]
fn a_tombstone_and_a_message_without_a_key_stay_what_they_are() {
    let message = Message {
        key: None,
        body: None,
        ..message(&[])
    };
    let letter = letter(&message, "dead", &notes(&message, "x"));
    assert_eq!((letter.key, letter.body), (None, None));
}

#[test]
fn headers_of_the_broker_are_kept_and_act_no_more() {
    let message = message(&[
        ("Nats-Msg-Id", "1"),
        ("Nats-Expected-Stream", "ORDERS"),
        ("nats-ttl", "1s"),
        ("Native", "x"),
        ("ä", ""),
    ]);
    let letter = letter_about(&message);
    let kept = [
        "openfaas-kept-Nats-Msg-Id",
        "openfaas-kept-Nats-Expected-Stream",
        "openfaas-kept-nats-ttl",
        "Native",
        "ä",
    ];
    assert_eq!(names(&letter.headers)[..5], kept);
    assert_eq!(letter.headers[1].text(), Some("ORDERS"));
    let back = put_back(&letter, &Notes::of(&letter).unwrap());
    assert_eq!(names(&back.headers)[..5], kept);
}

#[test]
fn a_bare_letter_has_no_notes_and_the_same_dedup_id() {
    let message = message(&[("ce-id", "1")]);
    let notes = notes(&message, "x");
    let bare = bare_letter(&message, "dead", &notes);
    assert_eq!(names(&bare.headers), ["ce-id"]);
    assert_eq!(bare.dedup, letter(&message, "dead", &notes).dedup);
    assert_eq!(Notes::of(&stored(bare, "dead/0", 1)), None);
}

#[test]
fn a_letter_is_known_by_function_and_delivery() {
    let first = message(&[]);
    let mut letters = vec![letter(&first, "dead", &notes(&first, "x"))];
    let elsewhere = Message {
        position: position("orders/4", 17),
        ..first.clone()
    };
    let later = Message {
        position: position("orders/3", 18),
        ..first.clone()
    };
    // The stream was deleted and made anew: the same place, another time.
    let anew = Message {
        time: Some(UNIX_EPOCH),
        ..first.clone()
    };
    for message in [&elsewhere, &later, &anew] {
        letters.push(letter(message, "dead", &notes(message, "x")));
    }
    letters.push(letter(
        &first,
        "dead",
        &Notes {
            function: "audit".into(),
            ..notes(&first, "x")
        },
    ));
    let mut ids: Vec<_> = letters
        .iter()
        .map(|letter| letter.dedup.clone().unwrap())
        .collect();
    assert_eq!(
        ids[0],
        letter(&first, "dead", &notes(&first, "another reason"))
            .dedup
            .unwrap()
    );
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), letters.len());
}

#[test]
fn a_letter_goes_back_to_its_topic_for_its_function_alone() {
    let original = message(&[("ce-id", "1")]);
    let letter = letter_about(&original);
    let back = put_back(&letter, &Notes::of(&letter).unwrap());
    assert_eq!(&*back.topic, "orders");
    assert_eq!((&back.key, &back.body), (&original.key, &original.body));
    assert_eq!(names(&back.headers), ["ce-id", "openfaas-redrive"]);

    let back = stored(back, "orders/3", 90);
    let redrive = redrive(&back).unwrap();
    assert!(redrive.is_for("openfaas-fn", "order"));
    assert!(!redrive.is_for("openfaas-fn", "audit"));
    assert!(!redrive.is_for("dev", "order"));
}

#[test]
fn a_plain_message_keeps_its_first_position_however_often_it_is_put_back() {
    let mut message = message(&[]);
    assert_eq!(identity(&message), position("orders/3", 17));
    for round in 0..3 {
        let letter = letter_about(&message);
        let notes = Notes::of(&letter).unwrap();
        message = stored(put_back(&letter, &notes), "orders/3", 100 + round);
        assert_eq!(
            identity(&message),
            position("orders/3", 17),
            "round {round}"
        );
        assert_eq!(
            names(&message.headers),
            ["openfaas-redrive"],
            "round {round}"
        );
        let times = redrive(&message).unwrap().times;
        assert_eq!(u64::from(times), round + 1);
    }
    let last = Notes::of(&letter_about(&message)).unwrap();
    assert_eq!(
        (last.offset, last.identity),
        (102, Some(("orders/3".to_owned(), 17)))
    );
}

#[test]
fn a_letter_put_back_is_known_by_its_own_place() {
    let original = message(&[]);
    let letter = letter_about(&original);
    let notes = Notes::of(&letter).unwrap();
    let next = Message {
        position: position("dead/0", 6),
        ..letter.clone()
    };
    assert_eq!(
        put_back(&letter, &notes).dedup,
        put_back(&letter, &notes).dedup
    );
    assert_ne!(
        put_back(&letter, &notes).dedup,
        put_back(&next, &notes).dedup
    );
}

#[test]
fn a_letter_about_a_letter_is_taken_apart_one_by_one() {
    let first = letter_about(&message(&[("ce-id", "1")]));
    let notes =
        Notes::on(&first, "openfaas-fn", "undertaker").because("full", 10, UNIX_EPOCH, "me");
    let second = stored(
        letter(&first, "dead-letter.openfaas-fn.undertaker", &notes),
        "dead2/0",
        1,
    );
    assert_eq!(
        names(&second.headers),
        ["ce-id", "openfaas-dead-letter", "openfaas-dead-letter"]
    );
    assert_eq!(Notes::of(&second), Some(notes.clone()));
    let back = put_back(&second, &notes);
    assert_eq!(
        names(&back.headers),
        ["ce-id", "openfaas-dead-letter", "openfaas-redrive"]
    );
    assert_eq!(back.headers[1], first.headers[1]);
}

#[test]
fn a_redrive_header_that_says_nothing_is_for_everybody() {
    for value in ["", "order", "{}", r#"{"function":"order"}"#] {
        let message = message(&[("openfaas-redrive", value)]);
        assert_eq!(redrive(&message), None, "{value}");
        assert_eq!(identity(&message), message.position);
    }
}

#[test]
fn notes_that_somebody_else_wrote_are_read_as_far_as_they_go() {
    let letter = message(&[(
        "OpenFaaS-Dead-Letter",
        r#"{"function":"order","colour":"red"}"#,
    )]);
    assert_eq!(
        Notes::of(&letter),
        Some(Notes {
            function: "order".into(),
            ..Notes::default()
        })
    );
    assert_eq!(
        Notes::of(&message(&[("openfaas-dead-letter", "broken")])),
        None
    );
}

proptest! {
    #[test]
    fn notes_never_pass_their_limit_and_stay_readable(reason in prop::collection::vec(any::<char>(), 0..2_500), by in "\\PC{0,150}") {
        let reason = String::from_iter(reason);
        let mut message = message(&[]);
        message.topic = "t".repeat(249).into();
        message.position.log = "l".repeat(255).into();
        let namespace = "n".repeat(63);
        let notes = Notes::on(&message, &namespace, &"f".repeat(63)).because(&reason, 3, UNIX_EPOCH, &by);
        let header = notes.to_header();
        let value = header.text().unwrap();
        prop_assert!(header.name.len() + value.len() <= LONGEST_NOTES, "{}", value.len());
        prop_assert!(!value.contains(['\r', '\n', '\0']));
        let read: Notes = serde_json::from_str(value).unwrap();
        let start = read.reason.strip_suffix('…').unwrap_or(&read.reason);
        prop_assert!(reason.starts_with(start));
        prop_assert!(read.reason == reason || value.len() + 10 > LONGEST_NOTES - NOTES.len(), "cut too much");
    }

    #[test]
    fn headers_that_anybody_wrote_make_nothing_panic(
        headers in prop::collection::vec(("(?i)openfaas-(redrive|dead-letter)|nats-.{0,3}|\\PC{0,6}", "\\PC{0,40}"), 0..6),
    ) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let message = message(&headers);
        let letter = letter_about(&message);
        let notes = Notes::of(&letter).unwrap();
        let back = put_back(&letter, &notes);
        prop_assert!(back.headers.iter().all(|header| !header.name.to_ascii_lowercase().starts_with("nats-")));
        prop_assert_eq!(back.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(REDRIVE)).count(), 1);
        let redrive = redrive(&stored(back, "orders/3", 1));
        prop_assert!(redrive.is_some_and(|redrive| redrive.is_for("openfaas-fn", "order")));
    }
}
