//! What a function leaves at a broker when it is gone: its durables or its group, which keep what it has settled.

use std::future::Future;

use crate::broker::OpenError;

/// A durable or a group whose name is one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The namespace of the function that its name was made from.
    pub namespace: String,
    /// That function.
    pub function: String,
    /// Its own name.
    pub name: String,
    /// Where it is: a NATS stream; nothing for a Kafka group.
    pub place: String,
    /// Somebody consumes through it now, or holds what it gave.
    pub in_use: bool,
}

/// A broker that knows what functions left there.
pub trait Leavings {
    /// Everything there whose name was made as ours are, of functions that there are and others.
    ///
    /// # Errors
    /// The broker does not say.
    fn leavings(&self) -> impl Future<Output = Result<Vec<Leaving>, OpenError>> + Send;

    /// Deletes it for good: a function of that name begins anew.
    ///
    /// # Errors
    /// It is still there, or partly; to do it again is right.
    fn forget(&self, leaving: &Leaving) -> impl Future<Output = Result<(), OpenError>> + Send;
}
