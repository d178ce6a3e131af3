//! Answers of the runtime's own, each marked with `X-OpenFaaS-Internal`.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::BoxError;

/// Marks what no function has answered.
pub(crate) const X_OPENFAAS_INTERNAL: HeaderName =
    HeaderName::from_static(openfaas_delivery::answer::INTERNAL);

/// 500: a layer failed.
pub(crate) fn broken_layer(error: BoxError) -> Response<Body> {
    tracing::error!("a layer failed: {error}");
    internal(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An empty answer of the runtime's own.
pub(crate) fn internal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(
        X_OPENFAAS_INTERNAL,
        HeaderValue::from_static(openfaas_delivery::answer::RUNTIME),
    );
    response
}
