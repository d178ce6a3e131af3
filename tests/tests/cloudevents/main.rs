//! The codec against every clause of CloudEvents 1.0.2 that it touches, and against what other SDKs get wrong.

mod errors;
mod extensions;
mod fuzz;
mod http_batched;
mod http_binary;
mod http_structured;
mod json_format;
mod kafka;
mod nats;
mod properties;
mod sdk;
mod support;
mod types;
mod unchanged;
