//! Handlers of CloudEvents: what they take, what they return, and how that travels over HTTP.

mod answer;
mod batch;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod delivered;
mod endpoint;
mod handler;
mod one;
mod outcome;

pub(crate) use endpoint::EventEndpoint;
pub use handler::{EventHandler, HandlerFuture};
pub use outcome::{IntoOutcome, Outcome};
