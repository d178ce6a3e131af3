//! Functions for OpenFaaS: one process, one async fn, the whole function contract.
//!
//! ```no_run
//! use openfaas_runtime::{Event, Failure, Function};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Order { total: f64 }
//!
//! #[derive(Serialize)]
//! struct Payment { amount: f64 }
//!
//! fn main() -> openfaas_runtime::Result<()> {
//!     Function::event(handle).run()
//! }
//!
//! async fn handle(order: Event<Order>) -> Result<Event<Payment>, Failure> {
//!     let amount = order.data().total;
//!     Ok(Event::new("payment.requested", Payment { amount }))
//! }
//! ```
//!
//! # Layout
//! - [`Function`]: the handler and what surrounds it; `run()` and `serve(..)`.
//! - [`Event`], [`Data`], [`Failure`]: what a handler of events takes and returns.
//! - [`Context`], [`Gateway`], [`Publisher`], [`secret`]: what a handler can ask for.
//! - [`testing`]: a function without a socket, or on port 0.
//! - [`Config`]: the environment.
//! - `server`: the HTTP side of the OpenFaaS function contract, from accept to drain.
//!
//! # Features
//! Name | Description | Default?
//! -----|-------------|---------
//! `cloudevents-sdk` | [`Event`] converted from and to cloudevents-sdk's | no
//! `kafka`, `kafka-tls` | Events straight from and to Kafka: `events_broker=kafka` | no
//! `nats` | Events straight from and to NATS JetStream: `events_broker=nats` | no
//! `tls` | Telemetry to collectors, and calls through a gateway, behind `https://` | no
//! `ws` | WebSockets in HTTP functions ([`axum`]'s `ws`) | no

mod call;
mod cancel;
mod chain;
mod config;
mod context;
mod door;
mod endpoint;
mod error;
mod event;
mod failure;
mod function;
mod gateway;
mod given;
mod publisher;
mod route;
mod run;
mod secrets;
mod server;
pub mod testing;

pub use axum;
pub use axum::extract::State;
pub use openfaas_cloudevents::{AttributeValue, Data, DataError, Event, FromData, IntoData};

pub use config::{Config, ConfigError, MaxBody};
pub use context::Context;
pub use endpoint::FunctionService;
pub use error::{Error, Result};
pub use event::{EventHandler, HandlerFuture, IntoOutcome, Outcome};
pub use failure::{BoxError, Failure};
pub use function::Function;
pub use gateway::{Gateway, GatewayError, Reply, Request};
pub use publisher::{PublishError, Publisher};
pub use secrets::{Secrets, secret};
