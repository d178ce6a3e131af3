//! The way back of a queued call's answer.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::USER_AGENT,
    uri::{Authority, Scheme},
};
use tokio::time::sleep;

use super::{Gateway, SERVED_BY, asynchronous::OF_THE_WAY, error::Failure, headers::INTERNAL};

/// How often a callback is tried.
const ATTEMPTS: u32 = 5;

/// The wait after its first failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The names under which functions know the gateway in a cluster.
const GATEWAY: [&str; 2] = ["gateway", "gateway.openfaas"];

/// What became of a queued call.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The status of the last answer.
    pub(super) status: StatusCode,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
}

/// What a callback says beside the answer.
#[derive(Debug)]
pub(super) struct Report<'a> {
    /// The function.
    pub(super) function: &'a str,
    /// The id of the call.
    pub(super) call_id: &'a str,
    /// From acceptance to the last answer.
    pub(super) duration: Duration,
    /// How often it was tried again.
    pub(super) retries: u32,
    /// How often it would have been tried.
    pub(super) attempts: u32,
}

impl Outcome {
    /// No answer came: what the queue worker of OpenFaaS reports as 503.
    pub(super) fn unreached() -> Self {
        let headers = [(INTERNAL, HeaderValue::from_static("queue"))]
            .into_iter()
            .collect();
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers,
            body: Bytes::new(),
        }
    }
}

/// Reads the address of a callback.
pub(super) fn address(url: &HeaderValue) -> Result<Uri, Failure> {
    let shown = String::from_utf8_lossy(url.as_bytes()).into_owned();
    let wrong = |why: &str| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            format!("X-Callback-Url {shown}: {why}"),
        )
    };
    let uri = Uri::try_from(url.as_bytes()).map_err(|_| wrong("is no URL"))?;
    match uri.scheme_str() {
        Some("http") => Ok(uri),
        Some("https") => Err(wrong(
            "callbacks of this runner go to http:// addresses only",
        )),
        _ => Err(wrong("begin it with http://")),
    }
}

/// Posts the answer to `callback`. Whether that is over, whoever took it: not so where the run ended before.
pub(super) async fn send(
    gateway: &Gateway,
    callback: &Uri,
    report: &Report<'_>,
    outcome: Outcome,
) -> bool {
    let headers = headers(report, &outcome);
    let uri = here(callback, gateway.address).unwrap_or_else(|| callback.clone());
    for attempt in 0..ATTEMPTS {
        let mut request = Request::new(Body::from(outcome.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();
        if gateway
            .client
            .send(request)
            .await
            .is_ok_and(|answer| !answer.status().is_server_error())
        {
            return true;
        }
        tokio::select! {
            biased;
            () = gateway.queue.stop.cancelled() => return false,
            () = sleep(FIRST_WAIT * 2_u32.pow(attempt)) => {}
        }
    }
    let console = &gateway.functions.host.console;
    console.note(
        report.function,
        &format!("its callback to {callback} was refused {ATTEMPTS} times and is given up"),
    );
    true
}

fn headers(report: &Report<'_>, outcome: &Outcome) -> HeaderMap {
    let mut headers = outcome.headers.clone();
    OF_THE_WAY
        .iter()
        .for_each(|name| drop(headers.remove(name)));
    headers.insert(USER_AGENT, HeaderValue::from_static(SERVED_BY));
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(
        "x-duration-seconds",
        &format!("{:.6}", report.duration.as_secs_f64()),
    );
    set("x-function-status", outcome.status.as_str());
    set("x-function-name", report.function);
    set("x-call-id", report.call_id);
    set("x-retry", &report.retries.to_string());
    set("x-retry-max", &report.attempts.to_string());
    headers
}

/// A URL of the gateway as a cluster knows it, as this machine knows it.
fn here(uri: &Uri, address: std::net::SocketAddr) -> Option<Uri> {
    GATEWAY.contains(&uri.host()?).then_some(())?;
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(super::reachable(address).to_string()).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_an_http_url() {
        let read = |url: &'static str| address(&HeaderValue::from_static(url));
        assert!(read("http://gateway:8080/function/x").is_ok());
        for url in ["", "x", "/function/x", "https://a/b", "ftp://a/b"] {
            assert!(read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_gateway_of_a_cluster_is_this_one() {
        let address = ([0, 0, 0, 0], 9090).into();
        let uri =
            |text: &'static str| here(&Uri::from_static(text), address).map(|uri| uri.to_string());
        let here = Some("http://127.0.0.1:9090/function/x?y".to_owned());
        assert_eq!(uri("http://gateway.openfaas:8080/function/x?y"), here);
        assert_eq!(uri("http://elsewhere:8080/function/x"), None);
    }
}
