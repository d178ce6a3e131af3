use super::*;
use crate::receiver::{ReceivedSpan, ReceivedValue, Status};
use crate::{Config, Telemetry};

fn telemetry(variables: &[(&str, &str)]) -> Telemetry {
    let lookup = |key: &str| {
        let found = variables.iter().find(|(known, _)| *known == key);
        let default = (key == "OTEL_TRACES_EXPORTER").then_some("otlp");
        found
            .map(|(_, value)| *value)
            .or(default)
            .map(str::to_owned)
    };
    Telemetry::recording(Config::from_lookup(lookup, "test").unwrap())
}

fn only(telemetry: &Telemetry) -> ReceivedSpan {
    let mut spans = telemetry.taken();
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

#[test]
fn a_span_arrives_as_it_was_told() {
    let telemetry = telemetry(&[]);
    let state = "vendor=1";
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
    let parent = TraceContext::parse(parent, [state]).unwrap();
    let before = SystemTime::now();
    let mut span = telemetry.span(Kind::Client, "first", Some(&parent));
    span.rename("second");
    span.attribute("text", "t");
    span.attribute("int", -3);
    span.attribute("double", 0.5);
    span.attribute("truth", true);
    span.link(&parent);
    span.failure("timeout", "took too long");
    span.error("later");
    let context = span.context().clone();
    span.end();
    let received = only(&telemetry);
    assert_eq!((&*received.name, received.kind), ("second", Kind::Client));
    assert_eq!(
        (received.trace_id, received.span_id),
        (context.trace_id(), context.span_id())
    );
    assert_eq!(
        (received.parent, &*received.tracestate),
        (Some(parent.span_id()), state)
    );
    assert_eq!(received.flags.bits(), 3);
    assert_eq!(received.service, "test");
    assert!(received.start >= before && received.end >= received.start);
    assert_eq!(received.status, Status::Error("took too long".into()));
    assert_eq!(received.links[0].span_id, parent.span_id());
    let expected = [
        ("text", ReceivedValue::Str("t".into())),
        ("int", ReceivedValue::Int(-3)),
        ("double", ReceivedValue::Double(0.5)),
        ("truth", ReceivedValue::Bool(true)),
        ("error.type", ReceivedValue::Str("timeout".into())),
    ];
    assert_eq!(
        received.attributes,
        expected.map(|(key, value)| (key.to_owned(), value))
    );
}

#[test]
fn what_a_span_said_is_not_said_by_the_next() {
    let telemetry = telemetry(&[]);
    for round in 0..3 {
        let mut span = telemetry.span(Kind::Internal, "x", None);
        span.attribute("round", round);
        if round == 0 {
            span.error("e");
        }
    }
    let spans = telemetry.taken();
    let said: Vec<_> = spans
        .iter()
        .map(|span| (span.attributes.len(), span.status == Status::Unset))
        .collect();
    assert_eq!(said, [(2, false), (1, true), (1, true)]);
}

#[test]
fn limits_hold_and_what_is_left_out_is_counted() {
    let telemetry = telemetry(&[
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "1"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
    ]);
    let mut span = telemetry.span(Kind::Internal, "x", None);
    for key in ["a", "b", "c", "d"] {
        span.attribute(key, "äöüß");
    }
    for _ in 0..3 {
        let other = TraceContext::new_root(true);
        span.link(&other);
    }
    let recording = span.recording.as_ref().unwrap();
    assert_eq!(
        (recording.dropped_attributes, recording.dropped_links),
        (2, 2)
    );
    span.end();
    let span = only(&telemetry);
    assert_eq!((span.attributes.len(), span.links.len()), (2, 1));
    assert_eq!(span.attributes[0].1.as_str(), Some("äöü"));
}

#[test]
fn without_an_exporter_a_callers_context_goes_on_and_ours_stays_here() {
    let telemetry = Telemetry::disabled();
    let parent = TraceContext::new_root(true);
    let span = telemetry.span(Kind::Server, "x", Some(&parent));
    assert_eq!(span.outgoing(), Some(&parent));
    assert!(!span.is_recording());
    let span = telemetry.span(Kind::Server, "x", None);
    assert_eq!(span.outgoing(), None);
    let mut headers = HeaderMap::new();
    span.inject(&mut headers);
    assert!(headers.is_empty());
}

#[test]
fn a_span_that_is_not_sampled_is_told_to_the_next_hop_as_such() {
    let telemetry = telemetry(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    let mut span = telemetry.span(Kind::Server, "x", None);
    span.attribute("k", "v");
    span.error("e");
    assert!(!span.is_recording());
    assert!(!span.outgoing().unwrap().sampled());
    span.end();
    assert!(telemetry.taken().is_empty());
}
