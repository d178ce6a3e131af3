//! An outcome as an HTTP answer.

use axum::body::Body;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use openfaas_cloudevents::{Event, http::encode_batch, http::encode_binary};
use openfaas_delivery::batch::BatchAnswer;

use crate::Failure;

/// Longest reason that an answer carries, in bytes.
const REASON: usize = 2048;

/// 204 without replies, 200 with: one in binary mode, several as a batch.
pub(super) fn replied(replies: &[Event]) -> Response<Body> {
    let encoded = match replies {
        [] => return status(StatusCode::NO_CONTENT, Body::empty()),
        [reply] => encode_binary(reply),
        replies => encode_batch(replies),
    };
    match encoded {
        Ok((headers, body)) => {
            let mut response = status(StatusCode::OK, Body::from(body));
            *response.headers_mut() = headers;
            response
        }
        Err(error) => rejected(&format!("the reply is not a valid CloudEvent: {error}")),
    }
}

/// 503 with `Retry-After` for a retry, 422 for a rejection. A retry that names no time says 0: whenever the sender's
/// back-off says.
pub(super) fn failed(failure: &Failure) -> Response<Body> {
    if failure.is_rejection() {
        return rejected(failure.reason());
    }
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, failure.reason());
    let seconds = failure.retry_after().map_or(0, |wait| {
        wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
    });
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

/// 422: the event goes to the dead letters.
pub(super) fn rejected(reason: &str) -> Response<Body> {
    text(StatusCode::UNPROCESSABLE_ENTITY, reason)
}

/// 207: one entry per event.
pub(super) fn batch(answer: &BatchAnswer) -> Response<Body> {
    match serde_json::to_vec(answer) {
        Ok(body) => {
            let mut response = status(BatchAnswer::STATUS, Body::from(body));
            let media_type = HeaderValue::from_static(BatchAnswer::MEDIA_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, media_type);
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// An answer of one sentence.
pub(super) fn text(code: StatusCode, reason: &str) -> Response<Body> {
    let end = reason.floor_char_boundary(REASON);
    let mut response = status(code, Body::from(reason[..end].to_owned()));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn status(code: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
}
