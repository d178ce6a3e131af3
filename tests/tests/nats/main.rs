//! NATS JetStream behind the traits of the engine, on a real server.

mod auth;
mod lease;
mod opening;
mod order;
mod promises;
mod recovery;
mod settling;
mod support;
mod unreadable;
