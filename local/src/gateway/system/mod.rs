//! `/system/…`: the API that faas-cli uses.

mod functions;
mod info;
mod logs;
mod namespaces;
mod scale;
mod secrets;

use axum::{
    Router,
    routing::{get, post},
};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::{Gateway, error::Failure};

/// The routes, for who may use them.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(
            "/system/functions",
            get(functions::list)
                .post(functions::create)
                .put(functions::update)
                .delete(functions::delete),
        )
        .route("/system/function/{name}", get(functions::describe))
        .route("/system/scale-function/{name}", post(scale::scale))
        .route(
            "/system/secrets",
            get(secrets::list)
                .post(secrets::create)
                .put(secrets::update)
                .delete(secrets::delete),
        )
        .route("/system/logs", get(logs::read))
        .route("/system/info", get(info::info))
        .route("/system/namespaces", get(namespaces::list))
        .route(
            "/system/namespace/{name}",
            get(namespaces::describe).fallback(namespaces::unsupported),
        )
        .route(
            "/system/namespace/",
            axum::routing::any(namespaces::unsupported),
        )
}

/// Reads a JSON body, whatever its media type says: faas-cli's says nothing.
pub(super) fn json<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            format!("the body cannot be read: {error}"),
        )
    })
}
