//! An order, and what tests ask of answers.

use openfaas_runtime::{Config, Event, Reply};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) total: u32,
}

pub(crate) fn order(total: u32) -> Event<Value> {
    Event::new("order.placed", json!({ "total": total }))
        .with_id("A-17")
        .with_source("/shop")
}

pub(crate) fn config(pairs: &[(&str, &str)]) -> Config {
    let lookup = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_lookup(lookup).unwrap()
}

pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}
