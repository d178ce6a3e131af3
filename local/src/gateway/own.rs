//! `/local/…`: what only this runner has. Its commands are the clients.

use std::{
    io::{self, Read},
    time::Duration,
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{DefaultBodyLimit, Path as Pass, Query, Request, State},
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use openfaas_cloudevents::{Event, Limits};
use openfaas_delivery::{
    broker::{Position, PublishError},
    letters::{Letter, Opened},
    wrap::{self, Incoming},
};
use openfaas_telemetry::{TraceContext, metrics::CONTENT_TYPE as TEXT};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::{BUS, Gateway, OTLP, error::Failure, headers::uuid};
use crate::bus::{Path, letters::RedriveError};

/// Bytes of one publication or export.
const LARGEST: usize = 64 * 1024 * 1024;

/// How long an answer may be waited for in one request.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// A topic.
#[derive(Debug, Deserialize)]
struct Topic {
    /// Its name.
    topic: String,
}

/// A message of the bus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The topic; on a broker, what holds it: a stream, a partition.
    pub topic: String,
    /// Its place there.
    pub offset: u64,
}

/// Events were published.
#[derive(Debug, Serialize, Deserialize)]
pub struct Published {
    /// Where they lie, in the order they came.
    pub messages: Vec<Place>,
    /// The functions that hang on the topic.
    pub subscribers: Vec<String>,
}

/// Paths that are asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Where they begin.
    pub messages: Vec<Place>,
    /// How long to wait until they are over.
    pub wait_milliseconds: u64,
}

/// Paths.
#[derive(Debug, Serialize, Deserialize)]
pub struct Paths {
    /// Whether nothing more can come of them.
    pub over: bool,
    /// In the order asked for.
    pub paths: Vec<Path>,
}

/// The routes for who may use the API.
pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route("/local/publish", post(publish))
        .route("/local/paths", post(paths))
        .route("/local/dead-letters", get(letters))
        .route("/local/dead-letter", get(letter))
        .route("/local/redrive", post(redrive))
        .layer(DefaultBodyLimit::max(LARGEST))
}

/// The routes for the functions themselves, which have no password; who publishes knows the pass of the run.
pub(super) fn function_routes() -> Router<Gateway> {
    let nothing = async || StatusCode::OK;
    Router::new()
        .route(&format!("{BUS}/{{pass}}"), post(publish_from_within))
        .route(&format!("{OTLP}/v1/traces"), post(traces))
        .route(&format!("{OTLP}/v1/metrics"), post(nothing))
        .route(&format!("{OTLP}/v1/logs"), post(nothing))
        .layer(DefaultBodyLimit::max(LARGEST))
}

/// What delivery counts, as Prometheus text.
pub(super) async fn metrics(State(gateway): State<Gateway>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], gateway.bus.metrics.render())
}

/// Publishes what the body holds: one CloudEvent, a batch, or anything else, which becomes one.
async fn publish(
    State(gateway): State<Gateway>,
    Query(Topic { topic }): Query<Topic>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Published>, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::new(StatusCode::BAD_REQUEST, error.to_string());
    let events = match wrap::receive("local", &uuid(), &headers, body, &Limits::default()) {
        Ok(Incoming::Event(event)) => vec![event],
        Ok(Incoming::Batch(events)) => events,
        Err(error) => return Err(wrong(&error)),
    };
    let mut messages = Vec::with_capacity(events.len());
    for event in events {
        let position = gateway.bus.publish(&topic, &traced(event)).await;
        let position = position.map_err(|error| match error {
            PublishError::Unavailable(_) => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            PublishError::TooLarge(_) | PublishError::Refused(_) => wrong(&error),
        })?;
        messages.push(Place {
            topic: position.log.to_string(),
            offset: position.offset,
        });
    }
    Ok(Json(Published {
        messages,
        subscribers: gateway.bus.subscribers(&topic),
    }))
}

/// The same for a function.
async fn publish_from_within(
    State(gateway): State<Gateway>,
    Pass(pass): Pass<String>,
    topic: Query<Topic>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Published>, Failure> {
    if pass != *gateway.pass {
        let said = "this is not the address that this run gave its functions";
        return Err(Failure::new(StatusCode::FORBIDDEN, said));
    }
    publish(State(gateway), topic, headers, body).await
}

/// An event of nobody's trace begins one.
fn traced(event: Event) -> Event {
    if event.attribute("traceparent").is_some() {
        return event;
    }
    event.with_extension("traceparent", TraceContext::new_root(true).traceparent())
}

async fn paths(State(gateway): State<Gateway>, request: Request) -> Result<Json<Paths>, Failure> {
    let body = to_bytes(request.into_body(), LARGEST)
        .await
        .map_err(Failure::internal)?;
    let asked: Asked = super::system::json(&body)?;
    let wait = Duration::from_millis(asked.wait_milliseconds).min(LONGEST_WAIT);
    let deadline = Instant::now() + wait;
    let mut verdicts = gateway.bus.trail.verdicts();
    loop {
        verdicts.mark_unchanged();
        let found = find(&gateway, &asked.messages)?;
        if found.over || Instant::now() >= deadline {
            return Ok(Json(found));
        }
        tokio::select! {
            biased;
            () = gateway.stop.cancelled() => return Ok(Json(found)),
            _ = timeout_at(deadline, verdicts.changed()) => {}
        }
    }
}

fn find(gateway: &Gateway, messages: &[Place]) -> Result<Paths, Failure> {
    let mut paths = Vec::with_capacity(messages.len());
    for Place { topic, offset } in messages {
        let position = Position {
            log: topic.as_str().into(),
            offset: *offset,
        };
        let gone = || {
            Failure::new(
                StatusCode::NOT_FOUND,
                format!("message {offset} of {topic} is not remembered"),
            )
        };
        paths.push(gateway.bus.path(&position).ok_or_else(gone)?);
    }
    Ok(Paths {
        over: paths.iter().all(Path::is_over),
        paths,
    })
}

async fn letters(State(gateway): State<Gateway>) -> Result<Json<Vec<Letter>>, Failure> {
    gateway.bus.letters().await.map(Json).map_err(away)
}

async fn letter(
    State(gateway): State<Gateway>,
    Query(place): Query<Place>,
) -> Result<Json<Opened>, Failure> {
    let Place { topic, offset } = place;
    let opened = gateway.bus.open_letter(&topic, offset).await;
    let gone = || {
        let said = RedriveError::Gone(topic, offset).to_string();
        Failure::new(StatusCode::NOT_FOUND, said)
    };
    opened.map_err(away)?.map(Json).ok_or_else(gone)
}

fn away(why: String) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, why)
}

async fn redrive(
    State(gateway): State<Gateway>,
    Query(place): Query<Place>,
) -> Result<Json<Place>, Failure> {
    let redriven = gateway.bus.redrive(&place.topic, place.offset).await;
    let position = redriven.map_err(|error| {
        let status = match error {
            RedriveError::Gone(..) => StatusCode::NOT_FOUND,
            RedriveError::NoNotes | RedriveError::NobodyThere { .. } => StatusCode::CONFLICT,
            RedriveError::Publish(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Failure::new(status, crate::terminal::with_cause(&error))
    })?;
    Ok(Json(Place {
        topic: position.log.to_string(),
        offset: position.offset,
    }))
}

async fn traces(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    let unsupported = || {
        let said = "send OTLP as application/x-protobuf, plain or with gzip";
        Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, said)
    };
    if !text(CONTENT_TYPE).starts_with("application/x-protobuf") {
        return Err(unsupported());
    }
    let wrong =
        |error: &dyn std::fmt::Display| Failure::new(StatusCode::BAD_REQUEST, error.to_string());
    let body = match text(CONTENT_ENCODING) {
        "" | "identity" => body,
        "gzip" => unzip(&body).map_err(|error| wrong(&error))?,
        _ => return Err(unsupported()),
    };
    gateway
        .traces
        .receive(&body)
        .map_err(|error| wrong(&error))?;
    Ok(StatusCode::OK)
}

fn unzip(body: &[u8]) -> io::Result<Bytes> {
    let mut plain = Vec::new();
    GzDecoder::new(body)
        .take(LARGEST as u64)
        .read_to_end(&mut plain)?;
    Ok(plain.into())
}
