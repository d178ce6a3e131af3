//! How a command talks to a runner.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::{
    gateway::{AuthError, Credentials},
    terminal::with_cause,
};

/// Where a runner listens unless told otherwise.
const USUAL: &str = "http://127.0.0.1:8080";

/// Which runner.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// The gateway of the runner
    #[arg(
        long,
        short = 'g',
        value_name = "URL",
        env = "OPENFAAS_URL",
        default_value = USUAL
    )]
    gateway: String,
    /// The file that holds the user of the gateway's API, if it asks for one
    #[arg(long, value_name = "FILE", requires = "basic_auth_password")]
    basic_auth_user: Option<PathBuf>,
    /// The file that holds the password
    #[arg(long, value_name = "FILE", requires = "basic_auth_user")]
    basic_auth_password: Option<PathBuf>,
}

/// A client of one runner.
#[derive(Debug)]
pub(super) struct Client {
    /// Its URL, without a slash at its end.
    url: String,
    /// What its API asks for.
    authorization: Option<HeaderValue>,
}

/// Why a runner did not do what was asked.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// The files with user and password.
    #[error(transparent)]
    Password(#[from] AuthError),
    /// The URL.
    #[error("{0} is no URL of a gateway: write it like http://127.0.0.1:8080")]
    Url(String),
    /// Nobody there.
    #[error(
        "no runner answers at {url} ({why}): start one with `openfaas-local` in the folder of the stack file, or name \
         another one with --gateway"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// What the connection said.
        why: String,
    },
    /// Something else is there.
    #[error("{0} is no openfaas-local: it does not know {1}")]
    Unknown(String, String),
    /// The runner refused.
    #[error("{0}")]
    Refused(String),
    /// The runner answered something else than expected.
    #[error("the answer of {0} cannot be read: {1}")]
    Answer(String, serde_json::Error),
}

impl Where {
    /// A client of that runner.
    pub(super) fn client(self) -> Result<Client, ClientError> {
        let authorization = match (&self.basic_auth_user, &self.basic_auth_password) {
            (Some(user), Some(password)) => Some(Credentials::read(user, password)?.header()),
            _ => None,
        };
        let gateway = if self.gateway.is_empty() {
            USUAL
        } else {
            &self.gateway
        };
        Ok(Client {
            url: gateway.trim_end_matches('/').to_owned(),
            authorization,
        })
    }
}

impl Client {
    /// `GET path`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, path, "application/json", Bytes::new())
            .await
    }

    /// `POST path` with a body.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        self.ask(Method::POST, path, media, body).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(CONTENT_TYPE, media);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|_| ClientError::Url(self.url.clone()))?;
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        let unreachable = |why: &dyn std::error::Error| ClientError::Unreachable {
            url: self.url.clone(),
            why: with_cause(why),
        };
        let answer = client
            .request(request)
            .await
            .map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| unreachable(&error))?
            .to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| ClientError::Answer(self.url.clone(), error));
        }
        let said = String::from_utf8_lossy(&body).trim().to_owned();
        match status {
            StatusCode::NOT_FOUND if said.is_empty() || said.starts_with("404") => {
                Err(ClientError::Unknown(self.url.clone(), path.to_owned()))
            }
            StatusCode::UNAUTHORIZED => Err(ClientError::Refused(format!(
                "{} asks for a user and a password: --basic-auth-user FILE \
                    --basic-auth-password FILE",
                self.url
            ))),
            _ if said.is_empty() => Err(ClientError::Refused(format!(
                "{} answered {status}",
                self.url
            ))),
            _ => Err(ClientError::Refused(said)),
        }
    }
}

/// `text` as it stands in a query.
pub(super) fn quoted(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_gives_a_meaning_is_quoted() {
        assert_eq!(quoted("orders.new_1~"), "orders.new_1~");
        assert_eq!(quoted("a b&c=ä"), "a%20b%26c%3D%C3%A4");
    }
}
