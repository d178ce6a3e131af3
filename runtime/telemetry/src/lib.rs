//! Traces, metrics and logs for a function and for a connector alike.
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
pub use conventions::{ClientCall, EventFacts, MessageFacts, Operation, Trigger};
pub use otlp::attribute::Value;
pub use scope::{CallId, Scope, Scoped};
pub use span::{Kind, Span};
pub use telemetry::Telemetry;
