//! A function for the tests of telemetry: it calls itself, through what it takes for the gateway.

use std::error::Error;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use openfaas_runtime::{Context, Function, Gateway};
use tracing::Instrument;

fn main() -> openfaas_runtime::Result<()> {
    let routes = Router::new()
        .route("/orders/{id}", get(order))
        .route("/function/price", post(async || "7"))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR));
    Function::router(routes).run()
}

/// What an author would write.
async fn order(context: Context, Path(id): Path<String>) -> Result<String, StatusCode> {
    let span = tracing::info_span!("pricing", order = id);
    let price = price(context.gateway()).instrument(span).await;
    price.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn price(gateway: Gateway) -> Result<String, Box<dyn Error + Send + Sync>> {
    let reply = gateway.call("price").send().await?.ok()?;
    metrics::counter!("orders_priced_total").increment(1);
    tracing::info!(price = reply.text(), "order priced");
    Ok(reply.text())
}
