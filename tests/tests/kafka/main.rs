//! Kafka behind the engine, over a real server.

mod commits;
mod outages;
mod promises;
mod rebalances;
mod records;
mod refusals;
mod support;
mod transactions;
mod users;
