//! What an answer looks like: its headers, its routes, its layers, its metrics.

use super::help::{config, header, raw, soon};
use openfaas_runtime::BoxError;
use openfaas_runtime::Data;
use openfaas_runtime::Event;
use openfaas_runtime::Function;
use openfaas_runtime::axum::Json;
use openfaas_runtime::axum::Router;
use openfaas_runtime::axum::body::Body;
use openfaas_runtime::axum::extract::Path;
use openfaas_runtime::axum::http::Method;
use openfaas_runtime::axum::http::Request;
use openfaas_runtime::axum::http::StatusCode;
use openfaas_runtime::axum::response::Response;
use openfaas_runtime::axum::routing::get;
use openfaas_runtime::axum::routing::post;
use openfaas_runtime::testing;

#[tokio::test]
async fn an_answer_is_the_handlers_with_its_duration() {
    let running = testing::start(Function::http(async || "hello")).await;
    let reply = running.get("/a/b?q=1").await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::OK, "hello")
    );
    let seconds: f64 = header(&reply, "x-duration-seconds")
        .unwrap()
        .parse()
        .unwrap();
    assert!((0.0..1.0).contains(&seconds));
    assert!(reply.headers().contains_key("date"));
    assert_eq!(header(&reply, "x-openfaas-internal"), None);
}

#[tokio::test]
async fn a_router_routes_and_paths_are_not_rewritten() {
    let router = Router::new()
        .route("/orders/{id}", get(async |Path(id): Path<u32>| Json(id)))
        .fallback(async |request: Request<Body>| request.uri().path().to_owned());
    let running = testing::start(Function::router(router)).await;
    assert_eq!(running.get("/orders/7").await.text(), "7");
    assert!(
        raw(
            &running,
            b"GET /x/../a//b HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n"
        )
        .await
        .ends_with("/x/../a//b")
    );
}

#[tokio::test]
async fn an_answer_without_content_type_gets_one_only_if_it_has_a_body() {
    let running = testing::start(Function::http(async |method: Method| match method {
        Method::GET => Response::new(Body::from("bytes")),
        _ => Response::new(Body::empty()),
    }))
    .await;
    assert_eq!(
        header(&running.get("/").await, "content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(
        header(
            &running.call(Request::delete("/").body("").unwrap()).await,
            "content-type"
        ),
        None
    );
}

#[tokio::test]
async fn metrics_have_of_watchdogs_names_and_labels_and_no_other_path() {
    let router = Router::new()
        .route("/", get(async || "x"))
        .route("/", post(async || StatusCode::CREATED));
    let running = testing::start(Function::router(router)).await;
    running.get("/").await;
    running.call("x").await;
    running
        .call(Request::builder().method("BREW").uri("/").body("").unwrap())
        .await;
    let metrics = running.metrics().await;
    for line in [
        "http_requests_total{code=\"200\",method=\"get\"} 1",
        "http_requests_total{code=\"201\",method=\"post\"} 1",
        "http_requests_total{code=\"405\",method=\"unknown\"} 1",
        "http_request_duration_seconds_count{code=\"200\",method=\"get\"} 1",
        "http_requests_in_flight 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
}

#[tokio::test]
async fn layers_wrap_the_handler_and_their_errors_are_500() {
    let layered = Function::http(async || "inner").layer(tower::util::MapResponseLayer::new(
        |mut response: Response| {
            response
                .headers_mut()
                .insert("x-layer", "outer".parse().unwrap());
            response
        },
    ));
    let reply = testing::start(layered).await.get("/").await;
    assert_eq!(
        (reply.text().as_str(), header(&reply, "x-layer")),
        ("inner", Some("outer"))
    );

    let broken = Function::http(async || "inner").layer(tower::filter::FilterLayer::new(
        |_: Request<Body>| Err::<Request<Body>, BoxError>("not today".into()),
    ));
    let reply = testing::start(broken).await.get("/").await;
    assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
}

#[tokio::test]
async fn an_event_function_keeps_the_same_contract() {
    let function = Function::event(async |_: Event<Data>| std::future::pending::<()>().await);
    let running = testing::start(function.config(config(&[("exec_timeout", "50ms")]))).await;
    let late = soon("504 past exec_timeout", running.call("x")).await;
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(running.get("/_/health").await.text(), "OK");
}
