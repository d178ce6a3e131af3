use std::sync::Arc;

use crate::{Config, Result, server::Server};

/// There is none: the function is built without a broker.
#[derive(Debug)]
pub(crate) struct Door;

/// Nothing keeps the function from being ready.
#[derive(Debug)]
pub(crate) struct Status;

// === impl Door ===

impl Door {
    pub(crate) async fn open(_: &Arc<Server>, _: &Config) -> Result<Door> {
        Ok(Door)
    }

    pub(crate) fn drain(&self) {}

    pub(crate) async fn drained(&mut self) {}
}

// === impl Status ===

impl Status {
    pub(crate) fn new(_: &Config) -> Status {
        Status
    }

    pub(crate) fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}
