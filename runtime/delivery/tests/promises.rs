//! The promises of delivery over the in-memory bus.

use std::time::Duration;

use openfaas_delivery::broker::Message;
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;

struct Memory(Bus);

impl Stand for Memory {
    type Broker = Bus;

    fn broker(&self) -> Bus {
        self.0.clone()
    }

    async fn create(&self, _: &str) {}

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.0
            .messages(topic)
            .iter()
            .map(|message| (**message).clone())
            .collect()
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        let backlog = self.0.backlog(&wiring.durable(topic));
        backlog.unwrap_or_else(|| self.0.messages(topic).len())
    }
}

/// One test per promise, each on a bus of its own.
macro_rules! over_memory {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let limits = Limits { ack_wait: Duration::from_secs(1), ..Limits::default() };
                promises::$promise(&Memory(Bus::new(limits))).await;
            }
        )*
    };
}

openfaas_delivery::every_promise!(over_memory);
