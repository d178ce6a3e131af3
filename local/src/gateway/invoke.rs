//! `/function/NAME[/…]`: a call that somebody waits for.

use std::net::SocketAddr;

use axum::{
    body::Body,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode};

use super::{
    Gateway,
    error::Refused,
    forward::{ForwardError, Upgrade, is_allowed},
    headers::Stamp,
    target::Target,
};

/// The prefix of every function's URL.
pub(super) const PREFIX: &str = "/function/";

/// Calls a function and streams its answer.
pub(super) async fn invoke(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let stamp = Stamp::new(request.headers());
    let answer = call(&gateway, &stamp, Some(peer), PREFIX, request).await;
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    stamp.own(response.headers_mut());
    response
}

/// Calls the function whose URL is below `prefix`.
pub(super) async fn call(
    gateway: &Gateway,
    stamp: &Stamp,
    peer: Option<SocketAddr>,
    prefix: &str,
    mut request: Request<Body>,
) -> Result<Response, Refused> {
    let uri = request.uri().clone();
    let target = Target::below(prefix, &uri).ok_or(Refused::NoName)?;
    if !is_allowed(request.method()) {
        return Err(Refused::Method);
    }
    let function = gateway.functions.find(target.name);
    let function = function.ok_or_else(|| Refused::Unknown(target.name.to_owned()))?;
    let desired = function.desired();
    let name = &desired.spec.service;
    function.count();
    let address = function
        .address()
        .await
        .ok_or_else(|| Refused::NoEndpoint(name.clone()))?;
    let upgrade = Upgrade::of(&mut request);
    let protocol = upgrade.as_ref().map(Upgrade::protocol);
    stamp.call(request.headers_mut(), peer);
    let answer = gateway
        .client
        .forward(address, &target.path_and_query, request, upgrade)
        .await;
    let mut answer = answer.map_err(|error| match error {
        ForwardError::Unreachable => Refused::Unreachable(name.clone()),
        ForwardError::TooLate => Refused::TooLate,
        ForwardError::Unreadable => Refused::Unreadable(name.clone()),
    })?;
    let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    stamp.answer(answer.headers_mut());
    if let Some(protocol) = protocol.filter(|_| switches) {
        Upgrade::agree(protocol, answer.headers_mut());
    }
    Ok(answer)
}
