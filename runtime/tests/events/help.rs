//! An order.

use openfaas_runtime::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use crate::common::{config, header};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) total: u32,
}

pub(crate) fn order(total: u32) -> Event<Value> {
    Event::new("order.placed", json!({ "total": total }))
        .with_id("A-17")
        .with_source("/shop")
}
