//! Health and readiness, from the start on.

use super::help::{config, eventually, get_with, header, soon};
use openfaas_runtime::BoxError;
use openfaas_runtime::Function;
use openfaas_runtime::State;
use openfaas_runtime::axum::Router;
use openfaas_runtime::axum::http::HeaderMap;
use openfaas_runtime::axum::http::Method;
use openfaas_runtime::axum::http::Request;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::axum::routing::get;
use openfaas_runtime::testing;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;

#[tokio::test]
async fn health_and_ready_answer_get_alone_and_exactly() {
    let running = testing::start(Function::http(async || "function")).await;
    let health = running.get("/_/health").await;
    assert_eq!(
        (health.status(), health.text().as_str()),
        (StatusCode::OK, "OK")
    );
    assert_eq!(
        header(&health, "content-type"),
        Some("text/plain; charset=utf-8")
    );
    let ready = running.get("/_/ready").await;
    assert_eq!(
        (ready.status(), ready.text().as_str()),
        (StatusCode::OK, "")
    );
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
        for path in ["/_/health", "/_/ready"] {
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .body("")
                .unwrap();
            let reply = running.call(request).await;
            assert_eq!(
                reply.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert!(reply.body().is_empty());
        }
    }
    assert_eq!(running.get("/_/health/").await.text(), "function");
    assert!(
        !running.metrics().await.contains("method=\"head\""),
        "probes are not counted"
    );
}

#[tokio::test]
async fn ready_asks_the_check_or_the_ready_path() {
    let well = Arc::new(AtomicBool::new(false));
    let check = {
        let well = well.clone();
        move || {
            let well = well.load(Ordering::SeqCst);
            async move { if well { Ok(()) } else { Err("no database") } }
        }
    };
    let running = testing::start(Function::http(async || ()).ready(check)).await;
    let reply = running.get("/_/ready").await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: no database\n")
    );
    assert_eq!(running.get("/_/health").await.status(), StatusCode::OK);
    well.store(true, Ordering::SeqCst);
    assert_eq!(running.get("/_/ready").await.status(), StatusCode::OK);

    let router = Router::new().route(
        "/warm",
        get(async |headers: HeaderMap| {
            (
                StatusCode::IM_A_TEAPOT,
                headers["x-probe"].to_str().unwrap().to_owned(),
            )
        }),
    );
    let running =
        testing::start(Function::router(router).config(config(&[("ready_path", "/warm")]))).await;
    let reply = running
        .call(get_with("/_/ready", &[("x-probe", "kubelet")]))
        .await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::IM_A_TEAPOT, "kubelet")
    );
    assert!(
        !running.metrics().await.contains("code=\"418\""),
        "probes are not counted"
    );
}

#[tokio::test]
async fn a_readiness_check_that_panics_is_500_and_the_function_lives_on() {
    let at_once = || -> std::future::Ready<Result<(), BoxError>> { panic!("as planned") };
    let later = async || -> Result<(), BoxError> { panic!("as planned") };
    for function in [
        Function::http(async || "well").ready(at_once),
        Function::http(async || "well").ready(later),
    ] {
        let running = testing::start(function).await;
        let ready = running.get("/_/ready").await;
        assert_eq!(ready.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(running.get("/").await.text(), "well");
    }
}

#[tokio::test]
async fn until_the_initialiser_is_done_health_waits_a_grace_ready_waits_longer_and_calls_wait_too()
{
    let go = Arc::new(Notify::new());
    let init = {
        let go = go.clone();
        async move || {
            go.notified().await;
            Ok::<_, BoxError>("made".to_owned())
        }
    };
    let function = Function::http(async |State(made): State<String>| made).init(init);
    let running = Arc::new(testing::start(function.config(config(&[("init_grace", "3s")]))).await);
    assert_eq!(
        running.get("/_/health").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let early = tokio::spawn({
        let running = running.clone();
        async move { running.get("/").await.text() }
    });
    let late = running.call(get_with("/", &[("x-timeout", "20ms")]));
    let late = soon("504 past X-Timeout", late).await;
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    eventually("health after its grace", async || {
        running.get("/_/health").await.status() == StatusCode::OK
    })
    .await;
    assert_eq!(
        running.get("/_/ready").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    go.notify_one();
    let early = soon("the answer of the early call", early).await;
    assert_eq!(early.unwrap(), "made");
    assert_eq!(running.get("/_/ready").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_initialiser_that_fails_ends_the_function_with_its_reason() {
    let function = Function::http(async || ()).init(async || Err::<(), _>("no licence"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pairs = [
        ("metrics_port", "0"),
        ("suppress_lock", "true"),
        ("listen_address", "127.0.0.1"),
    ];
    let served = function
        .config(config(&pairs))
        .serve(listener, std::future::pending())
        .await;
    let error = served.unwrap_err();
    assert_eq!(error.to_string(), "the initialiser failed: no licence");
}
