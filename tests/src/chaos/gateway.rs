//! A gateway in front of the chain: lists its functions and passes calls on, as OpenFaaS's does.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::fate::{HOPS, NAMESPACE};

/// Where each function listens, and how it is listed.
struct Behind {
    ports: [u16; HOPS.len()],
    list: Vec<Value>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Starts one; its URL.
pub(super) async fn start(
    ports: [u16; HOPS.len()],
    annotations: impl Fn(usize) -> Vec<(String, String)>,
) -> String {
    let list = (0..HOPS.len()).map(|hop| {
        let annotations: serde_json::Map<_, _> = annotations(hop)
            .into_iter()
            .map(|(name, value)| (name, json!(value)))
            .collect();
        json!({
            "name": HOPS[hop], "namespace": NAMESPACE, "image": "one", "annotations": annotations,
            "createdAt": "2026-01-01T00:00:00Z", "replicas": 1,
        })
    });
    let behind = Arc::new(Behind {
        ports,
        list: list.collect(),
        client: Client::builder(TokioExecutor::new()).build_http(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(behind);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn answer(State(behind): State<Arc<Behind>>, request: Request) -> Response {
    match request.uri().path() {
        "/system/namespaces" => axum::Json(json!([NAMESPACE])).into_response(),
        "/system/functions" => axum::Json(&behind.list).into_response(),
        // Nobody there, or gone before it had answered: nothing that a function would say.
        _ => match pass(&behind, request).await {
            Some(answer) => answer,
            None => StatusCode::BAD_GATEWAY.into_response(),
        },
    }
}

async fn pass(behind: &Behind, request: Request) -> Option<Response> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/function/")?;
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let name = name.split_once('.').map_or(name, |(name, _)| name);
    let hop = HOPS.iter().position(|hop| *hop == name)?;
    let uri = format!("http://127.0.0.1:{}/{rest}", behind.ports[hop]);
    head.uri = uri.parse::<Uri>().ok()?;
    head.headers.remove(header::HOST);
    let body = body.collect().await.ok()?.to_bytes();
    let request = Request::from_parts(head, Full::new(body));
    let (mut head, body) = behind.client.request(request).await.ok()?.into_parts();
    head.headers.remove(header::CONNECTION);
    let body = body.collect().await.ok()?.to_bytes();
    Some(Response::from_parts(head, Body::from(body)))
}
