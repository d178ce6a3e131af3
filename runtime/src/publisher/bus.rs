use axum::body::Body;
use http::{Method, Request, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use openfaas_cloudevents::{Event, http::encode};

use super::way::Failed;
use crate::Reply;

/// The bus of a local runner: an event is stored when a POST with it is answered.
pub(super) struct Bus {
    url: Uri,
    client: Client<HttpConnector, Body>,
}

/// Bytes of an answer that are read.
const ANSWER: usize = 64 << 10;

// === impl Bus ===

impl Bus {
    pub(super) fn at(url: Uri) -> Bus {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build_http();
        Bus { url, client }
    }

    pub(super) async fn store(&self, topic: &str, event: &Event) -> Result<(), Failed> {
        let (headers, body) = encode(event).map_err(|error| Failed::Never(error.to_string()))?;
        let base = self.url.to_string();
        let url = format!("{}?topic={}", base.trim_end_matches('/'), quoted(topic));
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url
            .parse()
            .map_err(|error| Failed::Never(format!("{url}: {error}")))?;
        *request.headers_mut() = headers;
        let unreached = |error: &dyn std::fmt::Display| Failed::Now(format!("{base}: {error}"));
        let response = self.client.request(request).await;
        let response = response.map_err(|error| unreached(&error))?;
        let reply = Reply::read("the bus", response, Some(ANSWER)).await;
        let reply = reply.map_err(|error| unreached(&error))?;
        let said = || format!("{}: {}", reply.status(), reply.text().trim());
        match reply.status() {
            status if status.is_success() => Ok(()),
            status if status.is_server_error() => Err(Failed::Now(said())),
            _ => Err(Failed::Never(said())),
        }
    }
}

/// As a value of a query.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                quoted.push(char::from(byte));
            }
            other => quoted.push_str(&format!("%{other:02X}")),
        }
    }
    quoted
}
