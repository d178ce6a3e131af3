//! Scale a function.

use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::{functions::find, json};
use crate::gateway::{Gateway, error::Failure};

/// How many processes of one function this machine is asked to bear at most.
const MOST: u32 = 32;

/// How many processes a function is to have.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Scaling {
    /// So many.
    replicas: u32,
    /// The namespace of the function.
    namespace: String,
}

/// Scales a function; 0 stops it until the next call.
pub(super) async fn scale(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let scaling: Scaling = json(&body)?;
    let function = find(&gateway, &name, Some(&scaling.namespace))?;
    if scaling.replicas > MOST {
        let message = format!(
            "{} processes of {name} are too many for one machine: at most {MOST}",
            scaling.replicas
        );
        return Err(Failure::new(StatusCode::BAD_REQUEST, message));
    }
    function.scale(scaling.replicas);
    Ok(StatusCode::ACCEPTED)
}
