//! What a run asks of a broker.

use bytes::Bytes;

use super::fate::Work;

/// A real broker that can be killed, with the topics of the chain.
#[expect(async_fn_in_trait, reason = "used by this crate alone")]
pub trait Broker {
    /// What the connector calls it.
    const NAME: &'static str;

    /// A server with topics for every function's inputs, for the end of the chain and for dead letters.
    async fn start() -> Self;

    /// Where clients find it, as the environment of connectors and doors says so.
    fn environment(&self) -> Vec<(String, String)>;

    /// Publishes events of different keys; back when all of them are stored, however often it takes.
    async fn publish(&self, work: &[Work]);

    /// About how many events have come to their end; `None` while it does not answer.
    async fn ended(&self) -> Option<usize>;

    /// How many inputs of a function are not settled; `None` while it does not answer.
    async fn unsettled(&self, hop: usize) -> Option<usize>;

    /// What lies in a topic; messages of one key in their order.
    async fn bodies(&self, topic: &str) -> Vec<Bytes>;

    /// Whether dead letters can be stored.
    async fn take_letters(&self, open: bool);

    /// Ends it like a power cut and starts it again on what it had.
    fn kill_and_restart(&self);
}
