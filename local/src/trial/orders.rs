//! The sample orders.

use openfaas_cloudevents::{Data, Event};
use serde_json::json;

/// The topic they are published to.
pub const TOPIC: &str = "orders";

/// An order whose fate is known beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Its id, and the event's.
    pub id: &'static str,
    /// Who orders; the events of one customer stay in order.
    customer: &'static str,
    /// What the bank is told.
    card: &'static str,
    /// Its only line: what, how many, at what price in cents. None: there is nothing in it.
    line: Option<(&'static str, u32, u64)>,
    /// What has to become of it.
    pub fate: Fate,
}

/// What has to become of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is shipped.
    Shipped,
    /// The bank declines it.
    Declined,
    /// The bank is busy twice, then it is shipped.
    ShippedAtThirdAttempt,
    /// It is refused for good.
    Rejected,
    /// The function that takes it dies of it.
    Kills,
}

/// Those that come first.
pub const ORDERS: [Order; 6] = [
    order(
        "good",
        "ada",
        "4000-1234",
        Some(("tea", 2, 450)),
        Fate::Shipped,
    ),
    order(
        "declined",
        "bob",
        "4000-5678",
        Some(("samovar", 1, 99_900)),
        Fate::Declined,
    ),
    order(
        "busy",
        "cy",
        "busy",
        Some(("pot", 1, 2_900)),
        Fate::ShippedAtThirdAttempt,
    ),
    order("poison", "eve", "4000-9012", None, Fate::Rejected),
    order(
        "first",
        "dan",
        "4000-3456",
        Some(("milk", 1, 300)),
        Fate::Shipped,
    ),
    order(
        "second",
        "dan",
        "4000-3456",
        Some(("sugar", 1, 200)),
        Fate::Shipped,
    ),
];

/// Those that come after them, when all spans of the first are here: a process that dies takes with it what it has not
/// sent yet.
pub const DEADLY: [Order; 2] = [
    order("kills", "fay", "kills", Some(("cup", 1, 700)), Fate::Kills),
    order(
        "neighbour",
        "gus",
        "4000-7890",
        Some(("jam", 1, 500)),
        Fate::Shipped,
    ),
];

/// The two orders of one customer, in the order in which they have to arrive.
pub const IN_ORDER: [&str; 2] = ["first", "second"];

const fn order(
    id: &'static str,
    customer: &'static str,
    card: &'static str,
    line: Option<(&'static str, u32, u64)>,
    fate: Fate,
) -> Order {
    Order {
        id,
        customer,
        card,
        line,
        fate,
    }
}

impl Order {
    /// As the function `order` reads it.
    #[must_use]
    pub fn json(&self) -> String {
        let line =
            |(item, quantity, price)| json!({ "item": item, "quantity": quantity, "price": price });
        let lines: Vec<_> = self.line.into_iter().map(line).collect();
        json!({ "id": self.id, "customer": self.customer, "card": self.card, "lines": lines })
            .to_string()
    }

    /// As it is published.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::new("order.placed", Data::json(self.json()))
            .with_id(self.id)
            .with_source("/openfaas-local/try")
            .with_datacontenttype("application/json")
            .with_extension("partitionkey", self.customer)
    }
}
