//! The promises of delivery over a real nats-server.

use futures_util::FutureExt;
use openfaas_delivery::broker::Message;
use openfaas_delivery::nats::Nats;
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;
use openfaas_tests::nats::{Look, Server};

use crate::support::connect;

struct Jetstream {
    server: Server,
    look: Look,
}

impl Jetstream {
    async fn start() -> Self {
        let server = Server::start();
        let look = server.look().await;
        Self { server, look }
    }
}

impl Stand for Jetstream {
    type Broker = Nats;

    fn broker(&self) -> Nats {
        let connected = Box::pin(connect(&self.server)).now_or_never();
        connected.expect("it connects in the background")
    }

    async fn create(&self, topic: &str) {
        self.look.stream(topic).await;
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.look.messages(topic).await
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        self.look.backlog(topic, &wiring.durable(topic)).await
    }
}

/// One test per promise, each on a server of its own.
macro_rules! over_nats {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                promises::$promise(&Jetstream::start().await).await;
            }
        )*
    };
}

openfaas_delivery::every_promise!(over_nats);
