//! `try`: the order chain of this repository, from start to end, and whether it keeps its promises.
//!
//! - [`orders`]: what is ordered
//! - [`promises`]: what has to become of it
//! - [`storefront`]: the same seen by who orders
//! - [`revival`]: whether who is killed lives again
//! - [`traces`]: whether one trace covers each chain

pub mod orders;
pub mod promises;
pub mod revival;
pub mod storefront;
pub mod traces;

/// The functions of the chain.
pub const FUNCTIONS: [&str; 4] = ["storefront", "order", "payment", "shipment"];

/// One thing that was promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What was promised.
    pub what: String,
    /// What is different; none when it was kept.
    pub differs: Option<String>,
}

impl Promise {
    /// A promise, and what differs from it.
    fn new(what: impl Into<String>, kept: Result<(), String>) -> Self {
        Self {
            what: what.into(),
            differs: kept.err(),
        }
    }
}
