use tracing::Instrument;
use tracing::instrument::WithSubscriber;

use crate::logs::{LogConfig, Logs};
use crate::receiver::{ReceivedSpan, ReceivedValue};
use crate::{CallId, Config, Kind, Scope, Telemetry};

fn telemetry(sampler: &str) -> Telemetry {
    let lookup = |key: &str| match key {
        "OTEL_TRACES_EXPORTER" => Some("otlp".to_owned()),
        "OTEL_TRACES_SAMPLER" => Some(sampler.to_owned()),
        _ => None,
    };
    Telemetry::recording(Config::from_lookup(lookup, "test").unwrap())
}

/// What `handler` makes of itself in a call that is sampled as told; its spans, the call's last.
async fn called<R>(sampler: &str, handler: impl Future<Output = R>) -> (R, Vec<ReceivedSpan>) {
    let telemetry = telemetry(sampler);
    let span = telemetry.span(Kind::Server, "call", None);
    let scope = Scope::new(&telemetry, &span, CallId::new("call-1"));
    let logs = Logs::to(LogConfig::default(), std::io::sink());
    let subscriber = logs.subscriber(LogConfig::default());
    let result = scope.run(handler).with_subscriber(subscriber).await;
    span.end();
    (result, telemetry.taken())
}

fn named<'a>(spans: &'a [ReceivedSpan], name: &str) -> &'a ReceivedSpan {
    spans.iter().find(|span| span.name == name).unwrap()
}

#[tokio::test]
async fn spans_of_the_author_are_children_in_the_order_of_nesting() {
    let handler = async {
        async {
            tokio::task::yield_now().await;
            tracing::info_span!("inner", answer = 42).in_scope(|| {});
        }
        .instrument(tracing::info_span!("outer", order = %"o-7"))
        .await;
    };
    let ((), spans) = called("always_on", handler).await;
    let (outer, inner, call) = (
        named(&spans, "outer"),
        named(&spans, "inner"),
        named(&spans, "call"),
    );
    assert_eq!(outer.parent, Some(call.span_id));
    assert_eq!(inner.parent, Some(outer.span_id));
    assert_eq!(inner.trace_id, call.trace_id);
    assert_eq!(
        (outer.kind, outer.parent_is_remote),
        (Kind::Internal, Some(false))
    );
    assert_eq!(
        outer.attributes,
        [("order".into(), ReceivedValue::Str("o-7".into()))]
    );
    assert_eq!(
        inner.attributes,
        [("answer".into(), ReceivedValue::Int(42))]
    );
}

#[tokio::test]
async fn what_is_recorded_later_has_its_last_value() {
    let handler = async {
        let span = tracing::info_span!("late", found = tracing::field::Empty, kept = true);
        span.record("found", 1);
        span.record("found", 2);
    };
    let ((), spans) = called("always_on", handler).await;
    let expected = [
        ("kept".to_owned(), ReceivedValue::Bool(true)),
        ("found".to_owned(), ReceivedValue::Int(2)),
    ];
    assert_eq!(named(&spans, "late").attributes, expected);
}

#[tokio::test]
async fn a_call_made_inside_belongs_to_the_span_it_is_made_in() {
    let handler = async {
        let outside = Scope::current().unwrap().context().span_id();
        let span = tracing::info_span!("inside");
        let inside = span.in_scope(|| Scope::current().unwrap());
        (
            outside,
            inside.context().span_id(),
            inside.call_id().clone(),
        )
    };
    let ((outside, inside, call_id), spans) = called("always_on", handler).await;
    assert_eq!(outside, named(&spans, "call").span_id);
    assert_eq!(inside, named(&spans, "inside").span_id);
    assert_eq!(call_id.as_str(), "call-1");
}

#[tokio::test]
async fn a_spawned_task_keeps_its_call_by_the_span_it_is_given() {
    for (sampler, count) in [("always_on", 2), ("always_off", 0)] {
        let handler = async {
            let task = async { Scope::current().map(|scope| scope.call_id().to_string()) };
            let task = task.instrument(tracing::info_span!("background"));
            tokio::spawn(task.with_current_subscriber()).await.unwrap()
        };
        let (call_id, spans) = called(sampler, handler).await;
        assert_eq!((call_id.as_deref(), spans.len()), (Some("call-1"), count));
    }
}

#[tokio::test]
async fn a_call_that_is_not_sampled_exports_no_span_of_the_author() {
    let handler = async {
        let span = tracing::info_span!("quiet");
        span.in_scope(|| Scope::current().unwrap().outgoing().unwrap().sampled())
    };
    let (sampled, spans) = called("always_off", handler).await;
    assert!(!sampled && spans.is_empty());
}

#[tokio::test]
async fn levels_that_are_not_logged_make_no_spans() {
    let handler = async { tracing::debug_span!("detail").in_scope(|| {}) };
    let ((), spans) = called("always_on", handler).await;
    assert_eq!(spans.len(), 1);
}

#[tokio::test]
async fn a_span_that_follows_another_is_linked_to_it() {
    let handler = async {
        let first = tracing::info_span!("first");
        let second = tracing::info_span!(parent: None, "second");
        second.follows_from(&first);
        let third = tracing::info_span!("third");
        third.follows_from(&first);
    };
    let ((), spans) = called("always_on", handler).await;
    assert_eq!(
        named(&spans, "third").links[0].span_id,
        named(&spans, "first").span_id
    );
    assert!(spans.iter().all(|span| span.name != "second"));
}
