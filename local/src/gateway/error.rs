//! What the gateway answers itself, in the words of the gateway and provider of OpenFaaS.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use thiserror::Error;

use super::headers::INTERNAL;

/// Why a call did not reach its function, or did not come back from it.
#[derive(Debug, Error)]
pub(super) enum Refused {
    /// The URL names no function.
    #[error("404 page not found")]
    NoName,
    /// The method is none that a function is called with.
    #[error("")]
    Method,
    /// There is no such function.
    #[error("error finding function {0}: no function of that name is deployed")]
    Unknown(String),
    /// No process of it is ready.
    #[error("No endpoints available for: {0}.")]
    NoEndpoint(String),
    /// The process did not answer, or died over it.
    #[error("Can't reach service for: {0}.")]
    Unreachable(String),
    /// The answer did not begin in time.
    #[error("")]
    TooLate,
    /// The answer has more header than is read, or is no HTTP.
    #[error("the answer of {0} cannot be read: it has too much header, or is no HTTP")]
    Unreadable(String),
}

/// An answer of the API with a text that says what is wrong.
#[derive(Debug)]
pub(super) struct Failure {
    /// The status.
    status: StatusCode,
    /// What is wrong.
    message: String,
}

impl Failure {
    /// `message` under `status`.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// There is no such function.
    pub(super) fn no_function(name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("function {name} is not deployed"),
        )
    }

    /// Something went wrong here.
    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, self.message).into_response()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoName | Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoEndpoint(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLate | Self::Unreadable(_) => StatusCode::BAD_GATEWAY,
        };
        let mut response = (status, self.to_string()).into_response();
        match self {
            Self::NoEndpoint(_) | Self::Unreachable(_) => {
                response
                    .headers_mut()
                    .insert(INTERNAL, HeaderValue::from_static("proxy"));
            }
            Self::Method | Self::TooLate => {
                response.headers_mut().remove(CONTENT_TYPE);
            }
            Self::NoName | Self::Unknown(_) | Self::Unreadable(_) => {}
        }
        response
    }
}
