//! The namespaces of the stack file. None can be made: a function's is what the file says.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, error::Failure},
    process::NAMESPACE,
};

pub(super) async fn list(State(gateway): State<Gateway>) -> Json<BTreeSet<String>> {
    Json(all(&gateway))
}

pub(super) async fn describe(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    if !all(&gateway).contains(&name) {
        return Err(Failure::new(
            StatusCode::NOT_FOUND,
            format!("there is no namespace {name}"),
        ));
    }
    Ok(Json(
        json!({ "name": name, "labels": { "openfaas": "1" }, "annotations": { "openfaas": "1" } }),
    ))
}

pub(super) async fn unsupported() -> Failure {
    Failure::new(
        StatusCode::NOT_IMPLEMENTED,
        "namespaces of this runner come from the stack file: set `namespace` of a function there",
    )
}

fn all(gateway: &Gateway) -> BTreeSet<String> {
    let named = gateway.known.specs().map(|spec| spec.namespace.clone());
    named.chain([NAMESPACE.to_owned()]).collect()
}
