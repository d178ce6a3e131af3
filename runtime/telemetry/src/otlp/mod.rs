//! OTLP: how spans, metrics and log records look on the wire, and the thread that sends them.
//!
//! Written here rather than taken from `opentelemetry-otlp`, for three reasons. A span is bytes in their final form from
//! its first attribute on, in a buffer that is used again: nothing is allocated for it, and exporting a batch is putting
//! a prefix before it. The exporter adds to a function only what that has anyway, hyper's client, and gzip: no SDK, no
//! gRPC, no reflection of protobuf. And what the environment asks for is all honoured or refused here, where the SDK
//! passes over several variables. The price is some 400 lines of wire format; the real Collector checks them in `tests/`.

pub(crate) mod attribute;
#[cfg(feature = "otlp")]
mod client;
#[cfg(feature = "otlp")]
mod connection;
#[cfg(feature = "otlp")]
pub(crate) mod exporter;
pub(crate) mod logs;
mod metrics;
pub(crate) mod protobuf;
pub(crate) mod reader;

use attribute::{Value, key_value};
use protobuf::bytes;

/// The instrumentation scope that every record of ours belongs to.
const SCOPE_NAME: &str = env!("CARGO_PKG_NAME");
const SCOPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A `Resource` message.
pub(crate) fn resource(attributes: &[(String, String)]) -> Vec<u8> {
    let mut resource = Vec::new();
    for (key, value) in attributes {
        key_value(&mut resource, 1, key, Value::Str(value));
    }
    resource
}

/// An `Export…ServiceRequest` of one resource and one scope.
///
/// Traces, metrics and logs have the same shape down to here: `records` are encoded spans, metrics or log records,
/// each with the prefix of field 2.
pub(crate) fn request(resource: &[u8], records: &[u8]) -> Vec<u8> {
    let mut scope = Vec::with_capacity(64);
    bytes(&mut scope, 1, SCOPE_NAME.as_bytes());
    bytes(&mut scope, 2, SCOPE_VERSION.as_bytes());
    let scope_len = protobuf::field_len(1, scope.len()) + records.len();
    let resource_len = protobuf::field_len(1, resource.len()) + protobuf::field_len(2, scope_len);
    let mut request = Vec::with_capacity(protobuf::field_len(1, resource_len));
    protobuf::prefix(&mut request, 1, resource_len);
    bytes(&mut request, 1, resource);
    protobuf::prefix(&mut request, 2, scope_len);
    bytes(&mut request, 1, &scope);
    request.extend_from_slice(records);
    request
}

/// How many records of a request the other side did not take, and why: `partial_success` of its answer.
fn rejected(answer: &[u8]) -> (u64, String) {
    use reader::Reader;
    let (mut count, mut reason) = (0, String::new());
    for field in Reader::new(answer).numbered(1).flatten() {
        for field in Reader::new(field.bytes().unwrap_or_default()).flatten() {
            match field.number {
                1 => count = field.varint().unwrap_or_default(),
                2 => reason = field.text().unwrap_or_default(),
                _ => {}
            }
        }
    }
    (count, reason)
}
