//! List, create, update and remove secrets. Values are never given out.

use axum::{
    Json,
    extract::{Query, State},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::json;
use crate::{
    gateway::{Gateway, error::Failure},
    process::{NAMESPACE, secrets::acceptable},
};

/// A secret as it is sent.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Secret {
    /// Its name.
    name: String,
    /// Its value as text.
    value: String,
    /// Its value in base64, where it is no text.
    raw_value: Option<String>,
}

/// A secret as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// Its name.
    name: String,
    /// Its namespace.
    namespace: String,
}

/// Which secrets are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Where {
    /// Secrets are the same in all namespaces; the list says the one that was asked for.
    namespace: Option<String>,
}

pub(super) async fn list(
    State(gateway): State<Gateway>,
    Query(place): Query<Where>,
) -> Json<Vec<Listed>> {
    let namespace = place
        .namespace
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| NAMESPACE.to_owned());
    let names = gateway.functions.host.secrets.names();
    Json(
        names
            .into_iter()
            .map(|name| Listed {
                name,
                namespace: namespace.clone(),
            })
            .collect(),
    )
}

pub(super) async fn create(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let secret = Secret::read(&body)?;
    if gateway.functions.host.secrets.contains(&secret.name) {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            format!("secret {} already exists", secret.name),
        ));
    }
    set(&gateway, secret)
}

pub(super) async fn update(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let secret = Secret::read(&body)?;
    if !gateway.functions.host.secrets.contains(&secret.name) {
        return Err(secret.missing());
    }
    set(&gateway, secret)
}

pub(super) async fn delete(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let secret = Secret::read(&body)?;
    match gateway
        .functions
        .host
        .secrets
        .remove(&secret.name)
        .map_err(Failure::internal)?
    {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(secret.missing()),
    }
}

fn set(gateway: &Gateway, secret: Secret) -> Result<StatusCode, Failure> {
    let value = secret.bytes()?;
    gateway
        .functions
        .host
        .secrets
        .set(&secret.name, value)
        .map_err(Failure::internal)?;
    Ok(StatusCode::ACCEPTED)
}

impl Secret {
    fn read(body: &Bytes) -> Result<Self, Failure> {
        let secret: Self = json(body)?;
        if acceptable(&secret.name) {
            return Ok(secret);
        }
        let message = format!(
            "{:?} cannot be the name of a secret: letters, digits, `-`, `_` and `.` make one, and no dot begins it",
            secret.name
        );
        Err(Failure::new(StatusCode::BAD_REQUEST, message))
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let wrong = |error| {
            Failure::new(
                StatusCode::BAD_REQUEST,
                format!("rawValue of {} is no base64: {error}", self.name),
            )
        };
        match &self.raw_value {
            Some(raw) if self.value.is_empty() => STANDARD.decode(raw).map_err(wrong),
            _ => Ok(self.value.clone().into_bytes()),
        }
    }

    fn missing(&self) -> Failure {
        Failure::new(
            StatusCode::NOT_FOUND,
            format!("there is no secret {}", self.name),
        )
    }
}
