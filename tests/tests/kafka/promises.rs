//! The promises of delivery over Kafka.

use std::time::Duration;

use openfaas_delivery::broker::Message;
use openfaas_delivery::kafka::{Kafka, Settings};
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;
use openfaas_tests::kafka::Server;

struct Real(&'static Server);

impl Stand for Real {
    type Broker = Kafka;

    fn broker(&self) -> Kafka {
        Kafka::new(Settings {
            session_timeout: Duration::from_secs(6),
            commit_every: Duration::from_millis(20),
            ..Settings::new(self.0.hosts())
        })
    }

    async fn create(&self, topic: &str) {
        self.0.create(topic, 3, &[]).await;
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.0.messages(topic)
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        self.0.lag(&wiring.group(), topic)
    }
}

/// One test per promise, on topics of its own.
macro_rules! over_kafka {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                promises::$promise(&Real(Server::shared())).await;
            }
        )*
    };
}

openfaas_delivery::every_promise!(over_kafka);
