//! OTLP: how spans, metrics and log records look on the wire, and the thread that sends them.

pub(crate) mod attribute;
pub(crate) mod protobuf;
