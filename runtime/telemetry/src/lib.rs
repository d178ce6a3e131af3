//! Traces, metrics and logs for a function and for a connector alike.
//!
//! ```
//! use openfaas_telemetry::{CallId, Config, Kind, Scope, Telemetry};
//!
//! # async fn example() -> Result<(), openfaas_telemetry::ConfigError> {
//! let config = Config::from_lookup(|key| std::env::var(key).ok(), "order")?;
//! let telemetry = Telemetry::start(config);
//!
//! let span = telemetry.span(Kind::Server, "GET", None);
//! let scope = Scope::new(&telemetry, &span, CallId::generate());
//! scope.run(async { tracing::info!("a line with the ids of the call") }).await;
//! span.end();
//!
//! telemetry.shutdown(std::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - [`Config`]: the `OTEL_*` environment.
//! - [`TraceContext`]: W3C trace context, which the stock propagator breaks in two places.
//! - [`Telemetry`], [`Span`]: spans, and in `conventions` those whose names and attributes OpenTelemetry gives.
//! - [`Scope`]: the call that a task works for; what log lines and an author's `tracing` spans belong to.
//! - [`metrics`]: of-watchdog's families, a registry, the `metrics` macros, Prometheus text.
//! - [`logs`]: lines on stderr that never hold anybody up.
//! - [`receiver`]: reads what others export.
//! - `otlp`: the wire format, and the thread that sends.
//!
//! # Features
//! Name | Description | Default?
//! -----|-------------|---------
//! `otlp` | Sends to a collector over OTLP/HTTP | yes
//! `tls` | Collectors behind `https://` | no
//! `receiver` | Nothing: [`receiver`] is always there | no
#![cfg_attr(
    not(feature = "otlp"),
    allow(
        dead_code,
        unused_imports,
        reason = "much is there for the exporter alone"
    )
)]

mod author;
mod config;
mod context;
mod conventions;
mod fields;
pub mod logs;
pub mod metrics;
mod otlp;
mod queue;
pub mod receiver;
mod sampler;
mod scope;
mod span;
mod telemetry;
mod tracestate;

pub use config::{Config, ConfigError, Propagators};
pub use context::{BAGGAGE, SpanId, TRACEPARENT, TRACESTATE, TraceContext, TraceFlags, TraceId};
pub use conventions::{ClientCall, EventFacts, MessageFacts, Trigger};
pub use otlp::attribute::Value;
pub use scope::{CallId, Scope, Scoped};
pub use span::{Kind, Span};
pub use telemetry::Telemetry;
