//! A server, a gateway and a connector between them.

use openfaas_tests::connector::{Connector, Gateway};
use openfaas_tests::nats::{Look, Server};

/// All that a test needs.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) look: Look,
    pub(crate) gateway: Gateway,
}

impl Scene {
    pub(crate) async fn new(subjects: &[&str]) -> Self {
        let server = Server::start();
        let look = server.look().await;
        for subject in subjects {
            look.stream(subject).await;
        }
        look.stream("dead-letter.>").await;
        Self {
            server,
            look,
            gateway: Gateway::start().await,
        }
    }

    pub(crate) async fn connector(&self, environment: &[(&str, &str)]) -> Connector {
        let address = self.server.address();
        let mut all = vec![
            ("broker_host", address.as_str()),
            ("gateway_url", self.gateway.url.as_str()),
        ];
        all.extend(environment);
        Connector::start("nats", &all).await
    }

    pub(crate) async fn publish(&self, subject: &str, body: &str) {
        let publish = self
            .look
            .jetstream
            .publish(subject.to_owned(), body.to_owned().into());
        publish.await.unwrap().await.unwrap();
    }
}
