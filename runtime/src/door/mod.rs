//! The way of events from a broker straight into the function, beside HTTP.

#[cfg(not(any(feature = "nats", feature = "kafka")))]
mod none;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod open;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod status;
#[cfg(any(feature = "nats", feature = "kafka"))]
mod target;

#[cfg(not(any(feature = "nats", feature = "kafka")))]
pub(crate) use none::{Door, Status};
#[cfg(any(feature = "nats", feature = "kafka"))]
pub(crate) use open::Door;
#[cfg(any(feature = "nats", feature = "kafka"))]
pub(crate) use status::Status;
