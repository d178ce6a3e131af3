//! An outcome as an HTTP answer.

use axum::body::Body;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use openfaas_cloudevents::{Event, http::encode, http::encode_batch};
use openfaas_delivery::{
    answer::{BACK_OFF, WAIT},
    batch::BatchAnswer,
};

use crate::Failure;

/// Longest reason that an answer carries, in bytes.
const REASON: usize = 2048;

/// With it a retry names no time.
const DELIVERY_WAIT: HeaderName = HeaderName::from_static(WAIT);

/// 204 without replies, 200 with: one alone, several as a batch.
pub(super) fn replied(replies: &[Event]) -> Response<Body> {
    let encoded = match replies {
        [] => return status(StatusCode::NO_CONTENT, Body::empty()),
        [reply] => encode(reply),
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

/// 503 with `Retry-After` for a retry, 422 for a rejection. A retry that names no time says 0, and beside it that the wait
/// is the sender's back-off.
pub(super) fn failed(failure: &Failure) -> Response<Body> {
    if failure.is_rejection() {
        return rejected(failure.reason());
    }
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, failure.reason());
    let headers = response.headers_mut();
    let seconds = match failure.retry_after() {
        Some(wait) => wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        None => {
            headers.insert(DELIVERY_WAIT, HeaderValue::from_static(BACK_OFF));
            0
        }
    };
    headers.insert(RETRY_AFTER, seconds.into());
    response
}

/// 422: the event goes to the dead letters.
pub(super) fn rejected(reason: &str) -> Response<Body> {
    text(StatusCode::UNPROCESSABLE_ENTITY, reason)
}

/// 413 for what is larger than it may be, a batch included, which then comes again in halves; 400 for what is no event.
pub(super) fn refused(error: &openfaas_cloudevents::Error) -> Response<Body> {
    let code = match error.is_too_large() {
        true => StatusCode::PAYLOAD_TOO_LARGE,
        false => StatusCode::BAD_REQUEST,
    };
    text(code, &error.to_string())
}

/// 500: the endpoint is called by something that is no server of ours.
pub(super) fn outside() -> Response<Body> {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        "called outside of a function's server",
    )
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
