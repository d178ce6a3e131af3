//! The promises of delivery over Kafka.

use std::sync::OnceLock;
use std::time::Duration;

use openfaas_delivery::broker::Message;
use openfaas_delivery::kafka::{Kafka, Settings};
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;
use openfaas_tests::kafka::Server;

struct Real {
    server: &'static Server,
    transactions: bool,
}

impl Stand for Real {
    type Broker = Kafka;

    fn broker(&self) -> Kafka {
        Kafka::new(Settings {
            session_timeout: Duration::from_secs(6),
            commit_every: Duration::from_millis(20),
            ..Settings::new(self.server.hosts())
        })
    }

    async fn create(&self, topic: &str) {
        self.server.create(topic, 3, &[]).await;
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.server.messages(topic)
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        self.server.lag(&wiring.group(), topic)
    }

    fn transactions(&self) -> bool {
        self.transactions
    }
}

fn plain() -> Real {
    Real {
        server: Server::shared(),
        transactions: false,
    }
}

/// On a server of its own, as the topics have the same names.
fn transactional() -> Real {
    static SERVER: OnceLock<Server> = OnceLock::new();
    Real {
        server: SERVER.get_or_init(Server::start),
        transactions: true,
    }
}

/// Two tests per promise, on topics of its own.
macro_rules! over_kafka {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                promises::$promise(&plain()).await;
            }
        )*

        mod with_transactions {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    super::promises::$promise(&super::transactional()).await;
                }
            )*
        }
    };
}

openfaas_delivery::every_promise!(over_kafka);
