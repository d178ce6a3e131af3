//! The promises of delivery over the in-memory bus.

use std::time::Duration;

use openfaas_delivery::broker::Message;
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;

struct Memory {
    bus: Bus,
    transactions: bool,
}

impl Stand for Memory {
    type Broker = Bus;

    fn broker(&self) -> Bus {
        self.bus.clone()
    }

    async fn create(&self, _: &str) {}

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.bus
            .messages(topic)
            .iter()
            .map(|message| (**message).clone())
            .collect()
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        let backlog = self.bus.backlog(&wiring.durable(topic));
        backlog.unwrap_or_else(|| self.bus.messages(topic).len())
    }

    fn transactions(&self) -> bool {
        self.transactions
    }
}

/// A bus of its own.
fn memory(transactions: bool) -> Memory {
    let limits = Limits {
        ack_wait: Duration::from_secs(1),
        ..Limits::default()
    };
    Memory {
        bus: Bus::new(limits),
        transactions,
    }
}

/// Two tests per promise.
macro_rules! over_memory {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                promises::$promise(&memory(false)).await;
            }
        )*

        mod with_transactions {
            $(
                #[tokio::test]
                async fn $promise() {
                    super::promises::$promise(&super::memory(true)).await;
                }
            )*
        }
    };
}

openfaas_delivery::every_promise!(over_memory);
