//! What a person asks of a broker before anything is delivered.

use super::{Broker, OpenError, Purpose};
use crate::wiring::Wiring;

/// A broker that can be looked at, and told to make what is missing.
pub trait Inspect: Broker {
    /// Whether it answers.
    ///
    /// # Errors
    /// Why it does not.
    fn reach(&self) -> impl Future<Output = Result<(), OpenError>> + Send;

    /// Whether a topic can be consumed.
    ///
    /// # Errors
    /// One sentence that names the topic and the command that makes it.
    fn find(&self, topic: &str) -> impl Future<Output = Result<(), OpenError>> + Send;

    /// What of all that this function needs is not permitted, a sentence each; nothing where the broker does not say.
    ///
    /// # Errors
    /// The broker does not answer.
    fn denied(
        &self,
        wiring: &Wiring,
    ) -> impl Future<Output = Result<Vec<String>, OpenError>> + Send;

    /// Makes what stores a topic, as the command does that is proposed where it is missing. `purpose`: `None` for one that
    /// is consumed.
    ///
    /// # Errors
    /// The broker does not make it.
    fn create(
        &self,
        topic: &str,
        purpose: Option<Purpose>,
    ) -> impl Future<Output = Result<(), OpenError>> + Send;
}
