//! Which gateway this is.

use axum::Json;
use serde_json::{Value, json};

/// The version of the runner, as gateway and as provider.
pub(super) async fn info() -> Json<Value> {
    let version = json!({ "release": env!("CARGO_PKG_VERSION"), "sha": "" });
    Json(json!({
        "provider": { "provider": "openfaas-local", "orchestration": "processes", "version": version },
        "version": version,
        "arch": std::env::consts::ARCH,
    }))
}
