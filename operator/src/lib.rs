//! From `stack.yml` to the KEDA objects that scale its functions and connectors.
//!
//! - [`cli`]: the commands
//! - [`settings`]: what a stack does not say: where brokers are, how far and how fast to scale
//! - [`target`]: who is scaled, and by which subscriptions
//! - [`trigger`]: by what KEDA sees how far behind a subscription is
//! - [`render`]: the objects of a target, as a manifest
//! - [`keda`]: these objects as types
//! - [`folder`]: the manifests as files
//! - [`lint`]: what is wrong with a stack and its manifests

pub mod cli;
pub mod folder;
pub mod keda;
pub mod lint;
pub mod render;
pub mod settings;
pub mod target;
pub mod trigger;
