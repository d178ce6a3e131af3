//! Everything that can die dies, and what became of each event is counted.
//!
//! [`play`] sends events with an order per key through a chain of three functions, over a real broker, and ends
//! functions, connectors and the broker with `kill -9` while they are on their way. What lies in the topics afterwards
//! says what was lost, overtaken, given up or done twice: [`Counts`].

mod broker;
mod cast;
mod fate;
mod gateway;
mod judge;
mod kafka;
mod nats;
mod play;

pub use self::broker::Broker;
pub use self::fate::{Fate, HOPS, Work};
pub use self::judge::Counts;
pub use self::kafka::OnKafka;
pub use self::nats::OnNats;
pub use self::play::{Plan, Way, play};
