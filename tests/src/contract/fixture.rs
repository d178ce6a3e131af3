//! The function that the contract is tested on. Inside our runtime it is the handler; behind of-watchdog the same routes
//! are a server of their own.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Json, Router};
use futures_util::stream;
use serde_json::{Value, json};

/// Every route that a test asks for; what is not one of them is told back as it came.
pub fn router() -> Router {
    Router::new()
        .route("/status/{code}", any(status))
        .route("/wait/{ms}", any(wait))
        .route("/mark/{ms}", any(mark))
        .route("/stream/{chunks}/{ms}", get(chunks))
        .route("/untyped", get(async || Response::new(Body::from("hello"))))
        .route("/panic", get(panic))
        .route("/print/{bytes}", get(print))
        .route("/length", any(length))
        .fallback(told_back)
}

async fn status(Path(code): Path<u16>) -> (StatusCode, String) {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT);
    (status, format!("status {code}"))
}

async fn wait(Path(ms): Path<u64>) -> String {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    format!("waited {ms}")
}

/// Works on for that long, and leaves a file `marked` when it got to its end.
async fn mark(Path(ms): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    let folder = std::env::var_os("TMPDIR").unwrap_or_default();
    std::fs::write(std::path::Path::new(&folder).join("marked"), "").expect("a folder to write to");
    "marked"
}

/// That many chunks, with that long before each but the first. The media type is the one that the caller accepts.
async fn chunks(Path((count, ms)): Path<(u32, u64)>, headers: HeaderMap) -> Response {
    let chunks = stream::unfold(0, move |sent| async move {
        if sent == count {
            return None;
        }
        if sent > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let chunk = Bytes::from(format!("data: {sent}\n\n"));
        Some((Ok::<_, Infallible>(chunk), sent + 1))
    });
    let accepted = headers.get("accept").and_then(|value| value.to_str().ok());
    let media_type = accepted
        .filter(|media| !media.contains('*'))
        .unwrap_or("text/plain");
    Response::builder()
        .header("content-type", media_type)
        .body(Body::from_stream(chunks))
        .expect("a media type out of a header is a header's value")
}

async fn panic() {
    panic!("as asked for");
}

/// Prints one line of that many bytes and then another one.
async fn print(Path(bytes): Path<usize>) -> &'static str {
    println!("{}", "x".repeat(bytes));
    println!("after the long line");
    "printed"
}

async fn length(body: Bytes) -> String {
    body.len().to_string()
}

async fn told_back(request: Request) -> Json<Value> {
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    Json(json!({
        "method": request.method().as_str(),
        "target": request.uri().path_and_query().map(ToString::to_string),
        "headers": headers,
    }))
}
