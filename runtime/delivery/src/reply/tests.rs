//! "Replies and identity", a sentence each.

use openfaas_cloudevents::{Data, Event, http as binding, json};
use openfaas_telemetry::TraceContext;
use proptest::prelude::*;

use super::*;
use crate::wiring::{ReplyTopics, Wiring};

fn order() -> Event {
    Event::new("order.placed", Data::absent())
        .with_id("A-17")
        .with_source("/shop")
}

fn reply() -> Event {
    Event::new("payment.accepted", Data::json("{}"))
}

/// One reply of `payment` to `cause`, stamped.
fn stamped(reply: Event, cause: &Event) -> Event {
    stamp(vec![reply], &Cause::of(cause, None), "payment", None).remove(0)
}

fn text<'a>(event: &'a Event, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    event.text(name)
}

fn span() -> TraceContext {
    TraceContext::parse(
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ["a=b"],
    )
    .unwrap()
}

const OF_CAUSE: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

#[test]
fn a_reply_without_an_id_gets_one_of_its_cause_function_and_index() {
    let cause = Cause::of(&order(), None);
    let ids = |function: &str, cause: &Cause| -> Vec<String> {
        stamp(vec![reply(), reply()], cause, function, None)
            .iter()
            .map(|reply| reply.id().to_owned())
            .collect()
    };
    let first = ids("payment", &cause);
    assert_eq!(first, ids("payment", &cause));
    assert_eq!(first[0].len(), 32);

    let mut all = first;
    all.extend(ids("audit", &cause));
    all.extend(ids(
        "payment",
        &Cause {
            id: "A-18".into(),
            ..cause.clone()
        },
    ));
    all.extend(ids(
        "payment",
        &Cause {
            source: "/other".into(),
            ..cause
        },
    ));
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "two replies share an id");
}

#[test]
fn id_and_source_of_the_authors_own_stay() {
    let own = stamped(reply().with_id("P-1").with_source("/bank"), &order());
    assert_eq!((own.id(), own.source()), ("P-1", "/bank"));
    assert_eq!(stamped(reply(), &order()).source(), "/function/payment");
}

#[test]
fn causation_correlation_and_hops_are_set_whatever_the_answer_says() {
    let cause = order()
        .with_extension(CORRELATION, "C-1")
        .with_extension(HOPS, 4);
    let liar = reply()
        .with_extension(CAUSATION, "me")
        .with_extension(CORRELATION, "mine")
        .with_extension(HOPS, 0);
    for reply in [reply(), liar] {
        let reply = stamped(reply, &cause);
        assert_eq!(text(&reply, CAUSATION).as_deref(), Some("A-17"));
        assert_eq!(text(&reply, CORRELATION).as_deref(), Some("C-1"));
        assert_eq!(text(&reply, HOPS).as_deref(), Some("5"));
    }
}

#[test]
fn a_chain_begins_with_an_event_that_has_no_correlation() {
    let first = stamped(reply(), &order());
    assert_eq!(text(&first, CORRELATION).as_deref(), Some("A-17"));
    assert_eq!(text(&first, HOPS).as_deref(), Some("1"));
    let second = stamped(reply(), &first);
    assert_eq!(text(&second, CORRELATION).as_deref(), Some("A-17"));
    assert_eq!(text(&second, CAUSATION).as_deref(), Some(first.id()));
    assert_eq!(text(&second, HOPS).as_deref(), Some("2"));
}

#[test]
fn a_hopcount_is_read_as_number_and_as_text() {
    for (hops, next) in [
        (order().with_extension(HOPS, 7), "8"),
        (order().with_extension(HOPS, "7"), "8"),
        (order().with_extension(HOPS, "many"), "1"),
        (order().with_extension(HOPS, -3), "1"),
        (order().with_extension(HOPS, i32::MAX), "2147483647"),
    ] {
        assert_eq!(text(&stamped(reply(), &hops), HOPS).as_deref(), Some(next));
    }
}

#[test]
fn a_reply_takes_its_causes_order_key_unless_it_has_one() {
    let keyed = order().with_extension(PARTITION_KEY, "customer-7");
    assert_eq!(
        stamped(reply(), &keyed).partition_key().as_deref(),
        Some("customer-7")
    );
    let own = stamped(reply().with_extension(PARTITION_KEY, "mine"), &keyed);
    assert_eq!(own.partition_key().as_deref(), Some("mine"));
    assert_eq!(stamped(reply(), &order()).partition_key(), None);

    let of_record = order_key(&order(), Some(b"record-key"));
    let cause = Cause::of(&order(), of_record.as_deref());
    let stamped = stamp(vec![reply()], &cause, "payment", None).remove(0);
    assert_eq!(stamped.partition_key().as_deref(), Some("record-key"));
    assert_eq!(
        record_key(&stamped).as_deref(),
        Some(b"record-key".as_slice())
    );
}

#[test]
fn the_order_key_is_the_partition_key_else_the_record_key_else_none() {
    let keyed = order().with_extension(PARTITION_KEY, "p");
    let emptied = order().with_extension(PARTITION_KEY, "");
    for (event, record, expected) in [
        (&keyed, Some(b"r".as_slice()), Some("p")),
        (&keyed, None, Some("p")),
        (&order(), Some(b"r"), Some("r")),
        (&emptied, Some(b"r"), Some("r")),
        (&order(), Some(b""), None),
        (&order(), None, None),
        (&order(), Some("größe".as_bytes()), Some("größe")),
        (&order(), Some(&[0xff, 0x00]), Some("/wA=")),
        (&order(), Some(b"line\nbreak"), Some("bGluZQpicmVhaw==")),
    ] {
        assert_eq!(order_key(event, record).as_deref(), expected, "{record:?}");
    }
}

#[test]
fn any_record_key_makes_a_reply_that_can_be_published() {
    for key in [
        b"a\0b".as_slice(),
        &[0xc3, 0x28],
        "\u{fdd0}".as_bytes(),
        b" spaced ",
        b"\x7f",
    ] {
        let cause = Cause::of(&order(), order_key(&order(), Some(key)).as_deref());
        let replies = stamp(vec![reply()], &cause, "payment", None);
        check(&replies, &cause, HOP_LIMIT).unwrap();
    }
}

#[test]
fn the_span_that_made_a_reply_is_its_traceparent() {
    let cause = order()
        .with_extension("traceparent", OF_CAUSE)
        .with_extension("tracestate", "old=1");
    let stamped = |reply: Event| {
        stamp(
            vec![reply],
            &Cause::of(&cause, None),
            "payment",
            Some(&span()),
        )
        .remove(0)
    };
    // One that has none, and one that an author made out of the cause.
    for reply in [reply(), cause.clone()] {
        let reply = stamped(reply);
        assert_eq!(
            text(&reply, "traceparent"),
            Some(span().traceparent().into())
        );
        assert_eq!(text(&reply, "tracestate").as_deref(), Some("a=b"));
    }
    let own = "00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01";
    let reply = stamped(reply().with_extension("traceparent", own));
    assert_eq!(text(&reply, "traceparent").as_deref(), Some(own));
    assert_eq!(text(&reply, "tracestate"), None);
}

fn wiring() -> Wiring {
    let replies =
        ReplyTopics::parse("payment.accepted=shipments,payment.declined=declined").unwrap();
    Wiring {
        replies,
        ..Wiring::new("payment", "openfaas-fn", ["payments"])
    }
}

fn finished(replies: Vec<Event>, cause: &Event) -> Result<Vec<String>, String> {
    match finish(replies, &Cause::of(cause, None), &wiring(), None) {
        Ok(replies) => Ok(replies.into_iter().map(|reply| reply.topic).collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn each_reply_goes_to_the_topic_of_its_type() {
    let declined = Event::new("payment.declined", Data::absent());
    assert_eq!(
        finished(vec![declined, reply()], &order()).unwrap(),
        ["declined", "shipments"]
    );
    assert_eq!(finished(vec![], &order()).unwrap(), [""; 0]);
}

#[test]
fn one_reply_that_may_not_go_keeps_all_of_them() {
    let invalid = reply().with_id("not\u{1}valid");
    let foreign = Event::new("payment.refunded", Data::absent());
    for (bad, message) in [
        (invalid, "reply 1 is no valid CloudEvent: "),
        (
            Event::new("", Data::absent()),
            "reply 1 is no valid CloudEvent: ",
        ),
        (
            foreign,
            "reply 1 has the type `payment.refunded`, and no reply topic takes that type",
        ),
    ] {
        let error = finished(vec![reply(), bad], &order()).unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_chain_stops_at_its_limit() {
    let at = |hops: i32| order().with_extension(HOPS, hops);
    assert!(finished(vec![reply()], &at(31)).is_ok());
    let error = finished(vec![reply()], &at(32)).unwrap_err();
    assert_eq!(
        error,
        "a reply would be hop 33 of its chain, and the limit is 32"
    );
    // What answers nothing ends its chain by itself.
    assert!(finished(vec![], &at(32)).is_ok());
}

#[test]
fn a_structured_reply_that_is_finished_leaves_byte_by_byte_as_it_came() {
    let cause = Cause::of(&order().with_extension(PARTITION_KEY, "7"), None);
    let first = stamp(vec![reply()], &cause, "payment", Some(&span()));
    let written = json::encode(&first[0]).unwrap();
    // As somebody else would write it: other spaces, another order.
    let foreign = format!(
        " {}\n",
        std::str::from_utf8(&written).unwrap().replace(',', " , ")
    );
    let read = json::decode(foreign.clone().into()).unwrap();
    let again = stamp(vec![read], &cause, "payment", Some(&span()));
    assert_eq!(json::encode(&again[0]).unwrap(), foreign);
}

/// Over HTTP in binary mode, and back.
fn travelled(event: &Event) -> Event {
    let (headers, body) = binding::encode_binary(event).unwrap();
    match binding::decode(&headers, body, &Default::default()).unwrap() {
        binding::Message::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn stamped_twice_is_stamped_once(
        id in prop::option::of("[a-z0-9]{1,8}"),
        source in prop::option::of("/[a-z]{1,8}"),
        key in prop::option::of("[a-zäß ]{1,8}"),
        cause_key in prop::option::of("[a-zäß ]{1,8}"),
        hops in 0_i32..40,
        correlation in prop::option::of("[a-z]{1,8}"),
        traced: bool,
        copied: bool,
    ) {
        let mut cause = order().with_extension(HOPS, hops);
        let mut reply = reply();
        if let Some(correlation) = correlation {
            cause = cause.with_extension(CORRELATION, correlation);
        }
        if let Some(key) = cause_key {
            cause = cause.with_extension(PARTITION_KEY, key);
        }
        if traced {
            cause = cause.with_extension("traceparent", OF_CAUSE);
        }
        if copied {
            reply = cause.clone();
        }
        if let Some(id) = id {
            reply = reply.with_id(id);
        }
        if let Some(source) = source {
            reply = reply.with_source(source);
        }
        if let Some(key) = key {
            reply = reply.with_extension(PARTITION_KEY, key);
        }
        let cause = Cause::of(&cause, None);
        // By the runtime, with its own span; over the wire; by the engine, with the span of the call.
        let by_runtime = stamp(vec![reply], &cause, "payment", Some(&span()));
        let arrived: Vec<Event> = by_runtime.iter().map(travelled).collect();
        let by_engine = stamp(arrived.clone(), &cause, "payment", Some(&span().child()));
        prop_assert_eq!(&by_engine, &arrived);
        for (name, value) in by_runtime[0].attributes() {
            prop_assert_eq!(by_engine[0].text(name), Some(value.text()));
        }
        check(&by_engine, &cause, 100).unwrap();
    }
}
