//! What is counted, and that it reaches a collector as well as `/metrics`.

use super::help::{config, eventually, soon};
use openfaas_runtime::Function;
use openfaas_runtime::State;
use openfaas_runtime::axum::body::Bytes;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::axum::http::Uri;
use openfaas_runtime::testing;
use openfaas_runtime::testing::Running;
use std::sync::Arc;
use std::sync::Mutex;

/// Calls that end well, badly, not at all, and before they begin.
async fn called(pairs: &[(&str, &str)]) -> Running {
    let handler = async |uri: Uri| match uri.path() {
        "/late" => std::future::pending().await,
        "/bad" => StatusCode::BAD_GATEWAY,
        "/panic" => panic!("as planned"),
        _ => StatusCode::OK,
    };
    let pairs: Vec<_> = pairs
        .iter()
        .copied()
        .chain([("exec_timeout", "50ms"), ("max_body", "4")])
        .collect();
    let running = testing::start(Function::http(handler).config(config(&pairs))).await;
    for path in ["/", "/", "/bad", "/panic", "/late"] {
        soon(path, running.get(path)).await;
    }
    let refused = soon("413", running.call("too long")).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    running
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended_under_the_names_of_the_conventions_too() {
    let running = called(&[]).await;
    for line in [
        "faas_invocations_total{faas_trigger=\"http\"} 2",
        "faas_errors_total{faas_trigger=\"http\"} 2",
        "faas_timeouts_total{faas_trigger=\"http\"} 1",
        "faas_coldstarts_total{faas_trigger=\"http\"} 1",
        "faas_init_duration_seconds_count{faas_trigger=\"http\"} 1",
        "openfaas_calls_unanswered_total{outcome=\"timeout\"} 1",
        "openfaas_calls_unanswered_total{outcome=\"panic\"} 1",
        "openfaas_calls_unanswered_total{outcome=\"refused\"} 1",
        "openfaas_calls_unanswered_total{outcome=\"cut\"} 0",
        "openfaas_stuck_handlers_total 0",
        "openfaas_calls_queued 0",
    ] {
        // A call is over, and counted, just after its caller has the answer.
        eventually(line, async || {
            let text = running.metrics().await;
            text.lines().any(|found| found == line)
        })
        .await;
    }
}

#[tokio::test]
async fn what_the_runtime_counts_reaches_a_collector() {
    #[derive(Clone, Default)]
    struct Posted(Arc<Mutex<Vec<u8>>>);
    let posted = Posted::default();
    let collect = async |State(posted): State<Posted>, uri: Uri, body: Bytes| {
        assert_eq!(uri.path(), "/v1/metrics");
        *posted.0.lock().unwrap() = body.into();
    };
    let collector = testing::start(Function::http(collect).state(posted.clone())).await;
    let _running = called(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url("")),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "20"),
    ])
    .await;
    for name in [
        "http.server.request.duration",
        "faas.invocations",
        "faas.errors",
        "faas.timeouts",
        "faas.coldstarts",
        "faas.init_duration",
        "openfaas_calls_unanswered_total",
        "openfaas_stuck_handlers_total",
        "openfaas_calls_queued",
    ] {
        // Text stands in protobuf as it is.
        eventually(name, async || {
            let posted = posted.0.lock().unwrap();
            posted
                .windows(name.len())
                .any(|bytes| bytes == name.as_bytes())
        })
        .await;
    }
}
