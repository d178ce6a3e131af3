//! A function for the tests of the local runner: no runtime, so that what the gateway does shows.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What one process remembers.
#[derive(Clone, Default)]
struct Memory {
    /// How often each path below `/fail` was called.
    calls: Arc<Mutex<BTreeMap<String, u32>>>,
    /// What `/keep` was sent.
    kept: Arc<Mutex<Vec<Value>>>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let port: u16 = std::env::var("port").unwrap().parse().unwrap();
    if std::env::var_os("refuses_to_start").is_some() {
        eprintln!("refuses to start");
        return ExitCode::from(7);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    eprintln!("listening");
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let stop = async move {
        terminate.recv().await;
        eprintln!("draining");
    };
    axum::serve(listener, routes())
        .with_graceful_shutdown(stop)
        .await
        .unwrap();
    eprintln!("gone");
    ExitCode::SUCCESS
}

fn routes() -> Router {
    Router::new()
        .route("/_/health", get(async || "OK"))
        .route(
            "/env",
            get(async || Json(std::env::vars().collect::<BTreeMap<_, _>>())),
        )
        .route("/pid", get(async || std::process::id().to_string()))
        .route(
            "/stream",
            post(async |request: Request| {
                Body::from_stream(request.into_body().into_data_stream())
            }),
        )
        .route("/upgrade", get(upgrade))
        .route("/die", any(async || -> () { std::process::abort() }))
        .route("/occupy", post(occupy))
        .route("/slow/{milliseconds}", any(slow))
        .route("/fail/{times}", any(fail))
        .route(
            "/calls",
            get(async |State(memory): State<Memory>| Json(memory.calls.lock().unwrap().clone())),
        )
        .route(
            "/status/{status}",
            any(async |Path(status): Path<u16>| StatusCode::from_u16(status).unwrap()),
        )
        .route("/secret/{name}", get(secret))
        .route("/log", post(async |line: String| eprintln!("{line}")))
        .route(
            "/keep",
            post(keep).get(async |State(memory): State<Memory>| {
                Json(memory.kept.lock().unwrap().clone())
            }),
        )
        .fallback(echo)
        .with_state(Memory::default())
}

/// Says how it was called. What an event's type says comes true: `status.422` is answered so unless the variable `lenient`
/// is set, `dies` kills, `takes.20` takes 20 ms. With a `ledger`, each call that was done is noted there.
async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let attribute = |name: &str| {
        parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    };
    match attribute("ce-type").split_once('.') {
        Some(("status", status)) if std::env::var_os("lenient").is_none() => {
            return StatusCode::from_u16(status.parse().unwrap())
                .unwrap()
                .into_response();
        }
        Some(("takes", time)) => {
            tokio::time::sleep(Duration::from_millis(time.parse().unwrap())).await
        }
        _ if attribute("ce-type") == "dies" => std::process::abort(),
        _ => {}
    }
    if let Some(path) = std::env::var_os("ledger") {
        let mut ledger = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        let name = std::env::var("OPENFAAS_NAME").unwrap();
        ledger
            .write_all(format!("{name} {}\n", attribute("ce-id")).as_bytes())
            .unwrap();
    }
    Json(json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": map(&parts.headers),
        "body": String::from_utf8_lossy(&body),
    }))
    .into_response()
}

/// 503 so many times, then 200.
async fn fail(State(memory): State<Memory>, Path(times): Path<u32>) -> StatusCode {
    let mut calls = memory.calls.lock().unwrap();
    let calls = calls.entry(times.to_string()).or_default();
    *calls += 1;
    if *calls > times {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// Puts a file where its folder for temporary files was.
async fn occupy() {
    let folder = std::env::var("TMPDIR").unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
}

async fn slow(Path(milliseconds): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    "at last"
}

async fn secret(Path(name): Path<String>) -> Result<Vec<u8>, StatusCode> {
    let folder = std::env::var("secret_mount_path").unwrap();
    std::fs::read(std::path::Path::new(&folder).join(name)).map_err(|_| StatusCode::NOT_FOUND)
}

async fn keep(
    State(memory): State<Memory>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) {
    let body = String::from_utf8_lossy(&body);
    memory
        .kept
        .lock()
        .unwrap()
        .push(json!({ "query": query, "headers": map(&headers), "body": body }));
}

/// Becomes an echo of bytes, as a WebSocket server would become one of frames.
async fn upgrade(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response
        .headers_mut()
        .insert(header::UPGRADE, request.headers()[header::UPGRADE].clone());
    response
}

fn map(headers: &HeaderMap) -> Value {
    let pair = |(name, value): (&header::HeaderName, &HeaderValue)| {
        (
            name.to_string(),
            Value::from(String::from_utf8_lossy(value.as_bytes())),
        )
    };
    Value::Object(headers.iter().map(pair).collect())
}
