//! The connector beside a gateway, from a real nats-server and a real Kafka.

mod chain;
mod check;
mod events;
mod functions;
mod kafka;
mod process;
mod prune;
mod redrive;
mod support;
