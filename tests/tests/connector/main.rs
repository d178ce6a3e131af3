//! The connector beside a gateway, from a real nats-server.

mod functions;
mod process;
mod support;
