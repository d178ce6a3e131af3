//! Which functions there are: the list of an OpenFaaS gateway.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long one question to the gateway may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a provider without namespaces answers.
const NO_NAMESPACES: [StatusCode; 3] = [
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::NOT_IMPLEMENTED,
];

/// The largest list that is read.
const LARGEST: usize = 32 << 20;

/// A user and a password, as `Authorization` has them.
#[derive(Clone)]
pub struct Credentials(HeaderValue);

/// An OpenFaaS gateway's `/system`.
#[derive(Debug, Clone)]
pub struct Gateway {
    url: String,
    credentials: Option<Credentials>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A function as the gateway lists it, as far as a connector cares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its namespace; empty where the gateway has only one.
    #[serde(default)]
    pub namespace: String,
    /// What it runs.
    #[serde(default)]
    pub image: String,
    /// When it was deployed, as the gateway writes it.
    #[serde(default, rename = "createdAt")]
    pub created_at: String,
    /// Its annotations; a gateway leaves them out where there are none.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The URL is none.
    #[error("{0} is no URL")]
    Url(String),
    /// Nobody answered, or not to the end.
    #[error("{url} does not answer: {why}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the connection said.
        why: String,
    },
    /// It wants a password, or another one.
    #[error(
        "{0} asks for another user or password: set basic_auth=true and mount basic-auth-user and basic-auth-password"
    )]
    Unauthorized(String),
    /// It answered with something else.
    #[error("{url} answered {status}")]
    Status {
        /// Where.
        url: String,
        /// What.
        status: StatusCode,
    },
    /// What it answered is no list.
    #[error("the answer of {url} cannot be read: {why}")]
    Unreadable {
        /// Where.
        url: String,
        /// Why.
        why: serde_json::Error,
    },
}

impl Credentials {
    /// The header that shows them.
    pub fn new(user: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let value = HeaderValue::from_str(&format!("Basic {encoded}"));
        let mut value = value.unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        Self(value)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Gateway {
    /// The gateway at `url`.
    pub fn new(url: &str, credentials: Option<Credentials>) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            credentials,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Every function of every namespace, by namespace and name.
    ///
    /// # Errors
    /// Whatever keeps the list from being whole: a connector goes on with the last one it had.
    pub async fn functions(&self) -> Result<Vec<Function>, ListError> {
        self.functions_of(&self.namespaces().await?).await
    }

    /// Every function of these namespaces.
    pub(crate) async fn functions_of(
        &self,
        namespaces: &[String],
    ) -> Result<Vec<Function>, ListError> {
        let mut functions = Vec::new();
        for namespace in namespaces {
            let path = match namespace.as_str() {
                "" => "/system/functions".to_owned(),
                name => format!("/system/functions?namespace={name}"),
            };
            let listed: Option<Vec<Function>> = self.get(&path).await?;
            functions.extend(listed.unwrap_or_default().into_iter().map(|mut function| {
                if function.namespace.is_empty() {
                    function.namespace.clone_from(namespace);
                }
                function
            }));
        }
        functions.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        functions.dedup_by(|a, b| a.namespace == b.namespace && a.name == b.name);
        Ok(functions)
    }

    /// The namespaces; one without a name where the gateway knows none. Any other trouble is told, or the functions of all but
    /// one namespace would seem to be gone.
    pub(crate) async fn namespaces(&self) -> Result<Vec<String>, ListError> {
        let unnamed = vec![String::new()];
        match self.get::<Option<Vec<String>>>("/system/namespaces").await {
            Ok(Some(namespaces)) if !namespaces.is_empty() => Ok(namespaces),
            Ok(_) => Ok(unnamed),
            Err(ListError::Status { status, .. }) if NO_NAMESPACES.contains(&status) => Ok(unnamed),
            Err(error) => Err(error),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ListError> {
        let url = format!("{}{path}", self.url);
        let uri: Uri = url.parse().map_err(|_| ListError::Url(url.clone()))?;
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static("openfaas-connector"));
        if let Some(Credentials(value)) = &self.credentials {
            headers.insert(AUTHORIZATION, value.clone());
        }
        let unreachable = |why: String| ListError::Unreachable {
            url: url.clone(),
            why,
        };
        let exchange = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|error| unreachable(chain(&error)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| unreachable(chain(&*error)))?;
            Ok((status, body.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| unreachable(format!("nothing came within {} s", TIMEOUT.as_secs())))??;
        match status {
            StatusCode::OK => {
                serde_json::from_slice(&body).map_err(|why| ListError::Unreadable { url, why })
            }
            StatusCode::UNAUTHORIZED => Err(ListError::Unauthorized(url)),
            status => Err(ListError::Status { url, status }),
        }
    }
}

/// An error with what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
