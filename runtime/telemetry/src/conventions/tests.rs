use super::*;
use crate::config::Config;
use crate::receiver::{ReceivedSpan, ReceivedValue, Status};

fn recording() -> Telemetry {
    let lookup = |key: &str| (key == "OTEL_TRACES_EXPORTER").then(|| "otlp".to_owned());
    Telemetry::recording(Config::from_lookup(lookup, "test").unwrap())
}

fn only(telemetry: &Telemetry) -> ReceivedSpan {
    let mut spans = telemetry.taken();
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

fn attributes(span: &ReceivedSpan) -> Vec<(&str, String)> {
    let text = |value: &ReceivedValue| match value {
        ReceivedValue::Str(text) => text.clone(),
        other => format!("{other:?}"),
    };
    span.attributes
        .iter()
        .map(|(key, value)| (&**key, text(value)))
        .collect()
}

fn request(method: &str, uri: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "order.example:8080")
        .header("user-agent", "curl/8")
        .header("x-forwarded-for", "10.1.2.3, 10.0.0.1")
        .body(())
        .unwrap()
}

#[test]
fn a_server_span_says_what_the_conventions_ask_for() {
    let telemetry = recording();
    let parent = TraceContext::new_root(true);
    let request = request("GET", "/orders/7?sig=abc&x=1");
    let mut span = telemetry.server_span(
        Some(&parent),
        &request,
        Trigger::Http,
        &CallId::new("call-1"),
    );
    span.route(request.method(), "/orders/{id}");
    span.answered(404);
    span.end();
    let span = only(&telemetry);
    assert_eq!((&*span.name, span.kind), ("GET /orders/{id}", Kind::Server));
    assert_eq!(span.trace_id, parent.trace_id());
    assert_eq!(span.parent, Some(parent.span_id()));
    assert_eq!(
        (span.parent_is_remote, &span.status),
        (Some(true), &Status::Unset)
    );
    let expected = [
        ("http.request.method", "GET"),
        ("url.path", "/orders/7"),
        ("url.query", "sig=REDACTED&x=1"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("server.address", "order.example"),
        ("server.port", "Int(8080)"),
        ("client.address", "10.1.2.3"),
        ("user_agent.original", "curl/8"),
        ("faas.trigger", "http"),
        ("faas.invocation_id", "call-1"),
        ("faas.coldstart", "Bool(true)"),
        ("http.route", "/orders/{id}"),
        ("http.response.status_code", "Int(404)"),
    ];
    assert_eq!(
        attributes(&span),
        expected.map(|(key, value)| (key, value.to_owned()))
    );
}

#[test]
fn only_the_first_call_is_a_cold_start() {
    let telemetry = recording();
    for _ in 0..3 {
        telemetry
            .server_span(None, &request("GET", "/"), Trigger::Http, &CallId::new(""))
            .end();
    }
    let cold = |span: &ReceivedSpan| span.attribute("faas.coldstart").is_some();
    let spans = telemetry.taken();
    assert_eq!(
        spans.iter().map(cold).collect::<Vec<_>>(),
        [true, false, false]
    );
    assert!(
        spans
            .iter()
            .all(|span| span.parent.is_none() && span.parent_is_remote.is_none())
    );
}

#[test]
fn a_verb_that_nobody_knows_is_no_name_of_its_own() {
    let telemetry = recording();
    telemetry
        .server_span(None, &request("BREW", "/"), Trigger::Http, &CallId::new(""))
        .end();
    let span = only(&telemetry);
    assert_eq!(span.name, "HTTP");
    assert_eq!(
        span.attribute("http.request.method").unwrap().as_str(),
        Some("_OTHER")
    );
    let original = span.attribute("http.request.method_original").unwrap();
    assert_eq!(original.as_str(), Some("BREW"));
}

#[test]
fn a_status_is_an_error_to_who_made_it() {
    let telemetry = recording();
    for status in [200, 404, 503] {
        let mut server = telemetry.span(Kind::Server, "server", None);
        server.answered(status);
        let mut client = telemetry.span(Kind::Client, "client", None);
        client.received(status);
    }
    let spans = telemetry.taken();
    let failed = |kind| {
        let spans = spans.iter().filter(move |span| span.kind == kind);
        spans
            .map(|span| span.status != Status::Unset)
            .collect::<Vec<_>>()
    };
    assert_eq!(failed(Kind::Server), [false, false, true]);
    assert_eq!(failed(Kind::Client), [false, true, true]);
    let types: Vec<_> = spans
        .iter()
        .filter_map(|span| span.attribute("error.type"))
        .collect();
    assert_eq!(
        types
            .iter()
            .filter_map(|value| value.as_str())
            .collect::<Vec<_>>(),
        ["404", "503", "503"]
    );
}

const EVENT: EventFacts<'_> = EventFacts {
    id: "7",
    source: "/shop",
    ty: "order.placed",
    subject: Some("o-7"),
};

#[test]
fn an_event_that_came_alone_is_a_child_of_its_hop() {
    let telemetry = recording();
    let hop = telemetry.span(Kind::Server, "POST", None);
    let origin = TraceContext::new_root(true);
    telemetry
        .event_span(hop.context(), Some(&origin), &EVENT)
        .end();
    let span = only(&telemetry);
    assert_eq!(span.parent, Some(hop.context().span_id()));
    assert_eq!(span.parent_is_remote, Some(false));
    assert_eq!(span.links[0].span_id, origin.span_id());
    assert_eq!(
        (&*span.name, span.kind),
        ("CloudEvents Process order.placed", Kind::Consumer)
    );
    let expected = [
        ("cloudevents.event_id", "7"),
        ("cloudevents.event_source", "/shop"),
        ("cloudevents.event_spec_version", "1.0"),
        ("cloudevents.event_type", "order.placed"),
        ("cloudevents.event_subject", "o-7"),
    ];
    assert_eq!(
        attributes(&span),
        expected.map(|(key, value)| (key, value.to_owned()))
    );
}

#[test]
fn an_event_of_a_batch_stays_in_its_own_trace_and_is_linked_to_the_batch() {
    let telemetry = recording();
    let batch = TraceContext::new_root(true);
    let origin = TraceContext::new_root(true);
    telemetry
        .batched_event_span(&batch, Some(&origin), &EVENT)
        .end();
    let span = only(&telemetry);
    assert_eq!(
        (span.trace_id, span.parent),
        (origin.trace_id(), Some(origin.span_id()))
    );
    assert_eq!(span.links[0].trace_id, batch.trace_id());

    telemetry.batched_event_span(&batch, None, &EVENT).end();
    let span = only(&telemetry);
    assert_eq!((span.parent, span.links.len()), (Some(batch.span_id()), 0));
}

#[test]
fn a_client_span_names_the_function_and_hides_the_password() {
    let telemetry = recording();
    let url: Uri = "http://user:secret@gateway.openfaas:8080/function/payment?sig=abc"
        .parse()
        .unwrap();
    let call = ClientCall {
        method: &Method::POST,
        url: &url,
        function: "payment",
    };
    telemetry.client_span(None, &call).end();
    let span = only(&telemetry);
    assert_eq!(
        (&*span.name, span.kind),
        ("POST /function/payment", Kind::Client)
    );
    let expected = [
        ("http.request.method", "POST"),
        (
            "url.full",
            "http://gateway.openfaas:8080/function/payment?sig=REDACTED",
        ),
        ("url.template", "/function/payment"),
        ("server.address", "gateway.openfaas"),
        ("server.port", "Int(8080)"),
        ("faas.invoked_name", "payment"),
        ("faas.invoked_provider", "openfaas"),
    ];
    assert_eq!(
        attributes(&span),
        expected.map(|(key, value)| (key, value.to_owned()))
    );
}

#[test]
fn an_attempt_at_a_message_says_which_and_what_became_of_it() {
    let telemetry = recording();
    let origin = TraceContext::new_root(true);
    let message = MessageFacts {
        system: "nats",
        destination: "orders",
        group: "g",
        function: "order",
        id: Some("7"),
        conversation_id: Some("c"),
        body_size: Some(1024),
        batch: None,
        attempt: Some(3),
    };
    let mut span = telemetry.process_span(Some(&origin), &message);
    span.received(503);
    span.outcome("retry");
    span.end();
    let span = only(&telemetry);
    assert_eq!((&*span.name, span.kind), ("process orders", Kind::Consumer));
    assert_eq!(
        (span.parent, span.parent_is_remote),
        (Some(origin.span_id()), Some(true))
    );
    let expected = [
        ("messaging.system", "nats"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "orders"),
        ("messaging.consumer.group.name", "g"),
        ("messaging.message.id", "7"),
        ("messaging.message.conversation_id", "c"),
        ("faas.invoked_name", "order"),
        ("faas.invoked_provider", "openfaas"),
        ("messaging.message.body.size", "Int(1024)"),
        ("openfaas.delivery.attempt", "Int(3)"),
        ("http.response.status_code", "Int(503)"),
        ("error.type", "503"),
        ("openfaas.delivery.outcome", "retry"),
    ];
    assert_eq!(
        attributes(&span),
        expected.map(|(key, value)| (key, value.to_owned()))
    );
}
