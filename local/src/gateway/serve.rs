//! The gateway's routes, and the server that serves them.

use std::{future::Future, io, net::SocketAddr};

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{any, get},
    serve::ListenerExt,
};
use tokio::net::TcpListener;

use super::{Gateway, asynchronous::submit, auth::guard, invoke::invoke, own, system};

/// Serves the gateway until `stop`, then until the last call is answered.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Without it answers come a little later, that is all.
        stream.set_nodelay(true).ok();
    });
    let routes = routes(gateway).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop)
        .await
}

fn routes(gateway: Gateway) -> Router {
    let guarded = system::routes()
        .merge(own::routes())
        .layer(from_fn_with_state(gateway.clone(), guard));
    Router::new()
        .route("/function/{*target}", any(invoke))
        .route("/async-function/{*target}", any(submit))
        .route("/healthz", get(async || "OK"))
        .route("/metrics", get(own::metrics))
        .merge(guarded)
        .merge(own::function_routes())
        .with_state(gateway)
}
