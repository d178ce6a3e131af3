//! Handlers of CloudEvents: what they take, what they return, and how that travels over HTTP.

mod answer;
mod endpoint;
mod handler;
mod outcome;

pub(crate) use endpoint::EventEndpoint;
pub use handler::{EventHandler, HandlerFuture};
pub use outcome::{IntoOutcome, Outcome};
