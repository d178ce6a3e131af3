//! Answers of the runtime's own, each marked with `X-OpenFaaS-Internal`: what no function has said.

use std::time::Duration;

use axum::body::Body;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};
use openfaas_delivery::answer::{INTERNAL, RUNTIME};

use crate::BoxError;

/// Marks what no function has said.
pub(crate) const X_OPENFAAS_INTERNAL: HeaderName = HeaderName::from_static(INTERNAL);
/// How long the answer took to begin, in seconds.
pub(crate) const X_DURATION_SECONDS: HeaderName = HeaderName::from_static("x-duration-seconds");

/// Plain text, as of-watchdog's limiter names it.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// Without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Without a body, of the runtime's own.
pub(crate) fn internal(status: StatusCode) -> Response<Body> {
    marked(empty(status))
}

/// 400: a request that does not say, once, whom it is for.
pub(crate) fn no_host() -> Response<Body> {
    refused(StatusCode::BAD_REQUEST, "a request has one Host header\n")
}

/// 501: a body that is written as nobody here reads it.
pub(crate) fn unknown_encoding() -> Response<Body> {
    refused(
        StatusCode::NOT_IMPLEMENTED,
        "the one Transfer-Encoding here is chunked, and once\n",
    )
}

/// 413: a body longer than `max_body`.
pub(crate) fn too_long() -> Response<Body> {
    refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the request's body is longer than max_body\n",
    )
}

/// 408: a body that took longer than `read_timeout`.
pub(crate) fn too_slow() -> Response<Body> {
    refused(
        StatusCode::REQUEST_TIMEOUT,
        "the request's body did not come within read_timeout\n",
    )
}

/// A sentence; the connection ends with it, because what follows on it is not to be trusted or not wanted.
fn refused(status: StatusCode, reason: &'static str) -> Response<Body> {
    let mut response = marked(Response::new(Body::from(reason)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// 429: all places are taken. Word for word what of-watchdog's limiter answers, and when to come again.
pub(crate) fn full(limit: usize) -> Response<Body> {
    let body = format!("Concurrent request limit exceeded. Max concurrent requests: {limit}\n");
    let mut response = marked(Response::new(Body::from(body)));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// 500: a layer failed.
pub(crate) fn broken_layer(error: BoxError) -> Response<Body> {
    tracing::error!("a layer failed: {error}");
    internal(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Seconds with six digits after the point, as Go's `%f` writes them.
pub(crate) fn seconds(duration: Duration) -> HeaderValue {
    let mut text = [b'0'; 27];
    let mut end = text.len();
    let mut put = |digit: u8| {
        end -= 1;
        text[end] = digit;
    };
    let mut micros = duration.subsec_micros();
    for _ in 0..6 {
        put(b'0' + (micros % 10) as u8);
        micros /= 10;
    }
    put(b'.');
    let mut whole = duration.as_secs();
    loop {
        put(b'0' + (whole % 10) as u8);
        whole /= 10;
        if whole == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&text[end..]).expect("digits and a point are a header's value")
}

fn marked(mut response: Response<Body>) -> Response<Body> {
    response
        .headers_mut()
        .insert(X_OPENFAAS_INTERNAL, HeaderValue::from_static(RUNTIME));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_six_digits_after_the_point() {
        for (duration, text) in [
            (Duration::ZERO, "0.000000"),
            (Duration::from_micros(691), "0.000691"),
            (Duration::from_millis(12_345), "12.345000"),
            (Duration::MAX, "18446744073709551615.999999"),
        ] {
            assert_eq!(seconds(duration), text);
        }
    }
}
