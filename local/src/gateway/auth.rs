//! Who may use `/system` and `/local`.

use std::{fs, io, net::SocketAddr, path::Path};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE},
};
use thiserror::Error;

use super::{Gateway, error::Failure};

/// A user and a password.
pub struct Credentials {
    /// What the header `Authorization` has to hold, decoded: `USER:PASSWORD`.
    expected: Vec<u8>,
}

/// Why there are no credentials.
#[derive(Debug, Error)]
pub enum AuthError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds nothing.
    #[error("{0} is empty; write the name or the password into it")]
    Empty(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// Reads user and password from their files; white space around them is not part of them.
    ///
    /// # Errors
    /// When a file cannot be read or is empty.
    pub fn read(user: &Path, password: &Path) -> Result<Self, AuthError> {
        let read = |path: &Path| {
            let shown = path.display().to_string();
            let text = fs::read_to_string(path).map_err(|source| AuthError::Read {
                path: shown.clone(),
                source,
            })?;
            let text = text.trim().to_owned();
            if text.is_empty() {
                Err(AuthError::Empty(shown))
            } else {
                Ok(text)
            }
        };
        Ok(Self {
            expected: format!("{}:{}", read(user)?, read(password)?).into_bytes(),
        })
    }

    /// The header with which a client shows them.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(&self.expected)));
        let mut value = value.unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    fn are_in(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        let Some((scheme, encoded)) = given else {
            return false;
        };
        scheme.eq_ignore_ascii_case("basic")
            && STANDARD
                .decode(encoded.trim())
                .is_ok_and(|given| equal(&given, &self.expected))
    }
}

/// Lets through who has the credentials; without any, only who means this machine.
pub(super) async fn guard(
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Response {
    let refused = match &gateway.credentials {
        Some(credentials) => (!credentials.are_in(request.headers())).then(unauthorized),
        None => foreign(&request, gateway.address).map(IntoResponse::into_response),
    };
    match refused {
        Some(response) => response,
        None => next.run(request).await,
    }
}

fn unauthorized() -> Response {
    let mut response = (StatusCode::UNAUTHORIZED, "invalid credentials").into_response();
    let realm = HeaderValue::from_static("Basic realm=\"Restricted\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, realm);
    response
}

/// A web page that somebody has open in a browser can send requests to this machine too; it cannot hide where it is from.
fn foreign(request: &Request<Body>, address: SocketAddr) -> Option<Failure> {
    let host = request
        .headers()
        .get(HOST)
        .map(|host| host.to_str().unwrap_or_default());
    let origin = request
        .headers()
        .get(ORIGIN)
        .map(|origin| origin.to_str().unwrap_or_default());
    let host_is_here = host.is_none_or(|host| is_here(host, address));
    let origin_is_here = origin.is_none_or(|origin| {
        origin.parse::<Uri>().is_ok_and(|uri| {
            uri.authority()
                .is_some_and(|host| is_here(host.as_str(), address))
        })
    });
    let refusal = "this gateway has no password, so it answers only to this machine's own names";
    (!host_is_here || !origin_is_here).then(|| Failure::new(StatusCode::FORBIDDEN, refusal))
}

fn is_here(authority: &str, address: SocketAddr) -> bool {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                host
            } else {
                authority
            }
        });
    let ip = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    // Containers and functions know the gateway by these names.
    matches!(
        host,
        "localhost" | "gateway" | "gateway.openfaas" | "host.docker.internal"
    ) || ip.is_ok_and(|ip| ip.is_loopback() || ip == address.ip())
}

/// Compares in a time that does not depend on where the first difference is.
fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .fold(0, |differ, (a, b)| differ | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_user_and_password_are_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let (user, password) = (folder.path().join("user"), folder.path().join("password"));
        fs::write(&user, "admin\n").unwrap();
        fs::write(&password, "").unwrap();
        assert!(matches!(
            Credentials::read(&user, &password),
            Err(AuthError::Empty(_))
        ));
        fs::write(&password, " s3cret\n").unwrap();
        let credentials = Credentials::read(&user, &password).unwrap();
        let lets_in = |value: &str| {
            let header = HeaderValue::from_str(value).unwrap();
            credentials.are_in(&[(AUTHORIZATION, header)].into_iter().collect())
        };
        assert!(lets_in(&format!(
            "Basic {}",
            STANDARD.encode("admin:s3cret")
        )));
        assert!(!lets_in(&format!(
            "Basic {}",
            STANDARD.encode("admin:s3cre")
        )));
        assert!(!lets_in(&format!(
            "Bearer {}",
            STANDARD.encode("admin:s3cret")
        )));
        assert!(!lets_in("Basic"));
        assert!(!credentials.are_in(&HeaderMap::new()));
        assert_eq!(format!("{credentials:?}"), "Credentials(…)");
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        let address = ([127, 0, 0, 1], 8080).into();
        let refused = |name: http::HeaderName, value: &str| {
            let request = Request::builder()
                .header(name, value)
                .body(Body::empty())
                .unwrap();
            foreign(&request, address).is_some()
        };
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "LOCALHOST".to_lowercase().as_str(),
            "[::1]:8080",
            "gateway:8080",
        ] {
            assert!(!refused(HOST, host), "{host}");
        }
        assert!(refused(HOST, "rebound.example:8080"));
        assert!(refused(ORIGIN, "https://elsewhere.example"));
        assert!(refused(ORIGIN, "null"));
        assert!(!refused(ORIGIN, "http://localhost:8080"));
    }
}
