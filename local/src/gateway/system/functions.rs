//! List, describe, deploy and remove functions.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use bytes::Bytes;
use http::StatusCode;
use openfaas_cloudevents::timestamp;
use serde::{Deserialize, Serialize};

use super::json;
use crate::{
    gateway::{Gateway, error::Failure},
    process::{Function, NAMESPACE, Spec},
    stack,
};

/// Which functions are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Where {
    /// Only those of this namespace.
    namespace: Option<String>,
}

/// A function as the list shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// Its name.
    name: String,
    /// How it was deployed.
    #[serde(flatten)]
    spec: Spec,
    /// How many calls it got.
    invocation_count: u64,
    /// How many processes it is to have.
    replicas: u32,
    /// How many of them are ready.
    available_replicas: usize,
    /// When it was deployed first.
    created_at: String,
}

/// Which function is to be removed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Removal {
    /// Its name.
    function_name: String,
    /// Its namespace; empty for the usual one.
    namespace: String,
}

impl Status {
    fn of(function: &Function) -> Self {
        let desired = function.desired();
        Self {
            name: desired.spec.service.clone(),
            spec: Spec::clone(&desired.spec),
            invocation_count: function.invocations(),
            replicas: desired.replicas,
            available_replicas: function.table.ready(),
            created_at: timestamp::format(function.created),
        }
    }
}

pub(super) async fn list(
    State(gateway): State<Gateway>,
    Query(place): Query<Where>,
) -> Json<Vec<Status>> {
    let all = gateway.functions.all();
    Json(
        all.iter()
            .filter(|function| is_in(function, place.namespace.as_deref()))
            .map(|f| Status::of(f))
            .collect(),
    )
}

pub(super) async fn describe(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    Query(place): Query<Where>,
) -> Result<Json<Status>, Failure> {
    let function = find(&gateway, &name, place.namespace.as_deref())?;
    Ok(Json(Status::of(&function)))
}

/// Deploys a function that is there already; a function that is not is 404, upon which faas-cli creates it.
pub(super) async fn update(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let spec: Spec = json(&body)?;
    let known = gateway.known.get(&spec.service).is_some();
    if known && gateway.functions.find(&spec.service).is_none() {
        return Err(Failure::no_function(&spec.service));
    }
    deploy(&gateway, spec)
}

/// Deploys a function, also over one that is there.
pub(super) async fn create(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    deploy(&gateway, json(&body)?)
}

pub(super) async fn delete(
    State(gateway): State<Gateway>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let removal: Removal = json(&body)?;
    let function = find(&gateway, &removal.function_name, Some(&removal.namespace))?;
    gateway.functions.remove(&function.desired().spec.service);
    Ok(StatusCode::ACCEPTED)
}

/// Finds a function by name and namespace; an empty namespace is any.
pub(super) fn find(
    gateway: &Gateway,
    name: &str,
    namespace: Option<&str>,
) -> Result<Arc<Function>, Failure> {
    let function = gateway
        .functions
        .find(name)
        .filter(|function| is_in(function, namespace));
    function.ok_or_else(|| Failure::no_function(name))
}

fn is_in(function: &Function, namespace: Option<&str>) -> bool {
    namespace.is_none_or(|namespace| {
        namespace.is_empty() || namespace == function.desired().spec.namespace
    })
}

/// Checks a deployment, then builds the function anew and replaces its processes, while the caller goes on.
fn deploy(gateway: &Gateway, mut spec: Spec) -> Result<StatusCode, Failure> {
    let wrong = |message: String| Failure::new(StatusCode::BAD_REQUEST, message);
    let Some(known) = gateway.known.get(&spec.service) else {
        let file = gateway.known.path.display();
        return Err(wrong(format!(
            "this gateway runs the functions of {file}, and {} is none of them: add it there and start the runner again",
            spec.service
        )));
    };
    if spec.namespace.is_empty() {
        NAMESPACE.clone_into(&mut spec.namespace);
    }
    if spec.namespace != known.namespace {
        return Err(wrong(format!(
            "{} belongs to the namespace {}",
            spec.service, known.namespace
        )));
    }
    let missing = gateway.functions.host.secrets.missing(&spec.secrets);
    if let Some(name) = missing.first() {
        return Err(wrong(format!(
            "there is no secret {name}: create it with `faas-cli secret create {name}`"
        )));
    }
    stack::wiring(&spec).map_err(|errors| {
        wrong(
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    })?;
    let gateway = gateway.clone();
    tokio::spawn(async move {
        let host = &gateway.functions.host;
        let program = match gateway.build(&spec).await {
            Some(Ok(program)) => Some(program),
            Some(Err(error)) => {
                host.console.note(
                    &spec.service,
                    &format!("{error}; it goes on with the program it has"),
                );
                None
            }
            None => gateway.given.get(&spec.service).cloned(),
        };
        gateway.run(spec, program).await;
    });
    Ok(StatusCode::ACCEPTED)
}
