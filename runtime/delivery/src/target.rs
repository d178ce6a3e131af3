//! What the engine asks of a function, however it is reached: through the gateway, by its own URL, in this process.

#[cfg(feature = "http-target")]
pub mod http;
mod request;

use std::future::Future;
use std::sync::Arc;

pub use self::request::{request, unwritable};

use crate::call::{Call, Outcome};

/// A way to call functions.
pub trait Target: Send + Sync + 'static {
    /// Calls a function. A dropped call is given up; the function may still run it.
    fn call(&self, call: Call) -> impl Future<Output = Outcome> + Send;

    /// Whether the function itself answers `/_/health` over the same way as calls.
    fn healthy(&self, namespace: &str, function: &str) -> impl Future<Output = bool> + Send;
}

impl<T: Target> Target for Arc<T> {
    fn call(&self, call: Call) -> impl Future<Output = Outcome> + Send {
        (**self).call(call)
    }

    fn healthy(&self, namespace: &str, function: &str) -> impl Future<Output = bool> + Send {
        (**self).healthy(namespace, function)
    }
}
