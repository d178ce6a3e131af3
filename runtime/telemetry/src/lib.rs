//! Traces, metrics and logs for a function and for a connector alike.

mod config;
mod context;
pub mod logs;
pub mod metrics;
mod otlp;
mod queue;
mod sampler;
mod scope;
mod span;
mod telemetry;
mod tracestate;

pub use config::{Config, ConfigError, Propagators};
pub use context::{SpanId, TRACEPARENT, TRACESTATE, TraceContext, TraceFlags, TraceId};
pub use otlp::attribute::Value;
pub use scope::{CallId, Scope, Scoped};
pub use span::{Kind, Span};
pub use telemetry::Telemetry;
