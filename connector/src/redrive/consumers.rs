//! Who would take what is put back: the functions of the gateway, now.

use std::collections::BTreeSet;

use openfaas_delivery::dead_letter::Notes;
use openfaas_delivery::wiring::{Broker, Wiring, covers};

use crate::Config;
use crate::gateway::{Gateway, ListError};
use crate::wanted::List;

/// The functions that hang on topics of one broker.
#[derive(Debug)]
pub(super) struct Consumers(Vec<Wiring>);

impl Consumers {
    /// Asks the gateway. That a connector is told to leave some topics to others does not matter here.
    pub(super) async fn ask(config: &Config, broker: Broker) -> Result<Self, ListError> {
        let gateway = Gateway::new(&config.gateway, config.credentials.clone());
        let functions = gateway.functions().await?;
        let everything = Config {
            topics: None,
            asynchronous: false,
            ..config.clone()
        };
        let list = List::of(&functions, broker, &everything);
        let wirings = list.wanted.into_iter().map(|wanted| wanted.delivery.wiring);
        Ok(Self(wirings.collect()))
    }

    /// Where their dead letters go.
    pub(super) fn dead_letter_topics(&self) -> BTreeSet<String> {
        let topics = self.0.iter().map(Wiring::dead_letter_topic);
        topics.map(str::to_owned).collect()
    }

    /// Whether the function of these notes would get what is put back into their topic.
    ///
    /// # Errors
    /// Why not, and what would help.
    pub(super) fn takes(&self, notes: &Notes) -> Result<(), String> {
        let Notes {
            function,
            namespace,
            topic,
            ..
        } = notes;
        let found = self
            .0
            .iter()
            .find(|wiring| wiring.function == *function && wiring.namespace == *namespace);
        let takes = |wiring: &Wiring| wiring.topics.iter().any(|of| covers(of, topic));
        match found {
            Some(wiring) if takes(wiring) => Ok(()),
            _ => Err(format!(
                "{function}.{namespace} does not consume {topic} now: deploy it with `topic: {topic}`, then put the letter back"
            )),
        }
    }
}
