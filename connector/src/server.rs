//! `/_/health`, `/_/ready` and `/metrics`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use openfaas_telemetry::metrics::Metrics;
use tokio::net::TcpListener;

use crate::status::Status;

/// Listens on every address, or on every IPv4 address where the system has no other.
pub(crate) async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, status: Arc<Status>, metrics: Metrics) {
    let (health, ready) = (Arc::clone(&status), status);
    let text = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
    let router = Router::new()
        .route("/_/health", get(async move || said(health.health())))
        .route("/_/ready", get(async move || said(ready.ready())))
        .route("/metrics", get(async move || (text, metrics.render())));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("health and metrics are not served any more: {error}");
    }
}

fn said(result: Result<(), String>) -> (StatusCode, String) {
    match result {
        Ok(()) => (StatusCode::OK, "OK\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
