//! The HTTP side of the OpenFaaS function contract, from accept to drain.

pub(crate) mod answer;

use std::{convert::Infallible, future::Future, sync::Arc};

use axum::body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use openfaas_telemetry::Telemetry;
use tokio::net::TcpListener;

use crate::{
    Config, Error, Function, Gateway, Result, Secrets,
    call::{Call, Shared},
};

/// Serves until `shutdown`, then drains.
pub(crate) async fn serve(
    function: Function,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let (making, parts) = function.into_parts();
    let config = match parts.config {
        Some(config) => config,
        None => Config::from_env()?,
    };
    let service = making.await.map_err(Error::Init)?;
    let shared = Arc::new(shared(&config));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (service, shared) = (service.clone(), shared.clone());
        tokio::spawn(async move {
            let call = service_fn(move |request: http::Request<Incoming>| {
                let mut call = Some(Call {
                    shared: shared.clone(),
                    deadline: None,
                    context: Default::default(),
                });
                let mut answering = service.0.call(request.map(Body::new));
                async move {
                    let polling = std::future::poll_fn(|cx| {
                        Call::enter(&mut call, || answering.as_mut().poll(cx))
                    });
                    Ok::<_, Infallible>(polling.await)
                }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), call)
                .await;
        });
    }
    for hook in parts.hooks {
        hook().await;
    }
    Ok(())
}

/// What every call of a function shares.
pub(crate) fn shared(config: &Config) -> Shared {
    Shared {
        name: config.name.clone(),
        secrets: Secrets::at(config.secret_mount_path.clone()),
        gateway: Gateway::at(config.gateway_url.clone()),
        telemetry: Telemetry::disabled(),
        max_body: config.max_body,
    }
}
