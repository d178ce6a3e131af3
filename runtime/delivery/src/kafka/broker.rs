//! Kafka as a broker.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use openfaas_cloudevents::Event;

use super::producer::{Client, Producers};
use super::settings::Settings;
use super::source::KafkaSource;
use super::{check, format, headers, member};
use crate::broker::{
    Broker, Codec, Decoded, Message, OpenError, Publication, PublishError, Purpose, Stored,
    Subscription,
};
use crate::wiring::{Format, Wiring, group_of};

/// An owner's way to Kafka: one producer, and a member of a group for each subscription.
pub struct Kafka {
    settings: Arc<Settings>,
    producers: Producers,
}

impl Kafka {
    /// Connects when it is first needed.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            producers: Producers::default(),
        }
    }

    /// What went wrong since something was last stored.
    pub fn trouble(&self) -> Option<String> {
        self.producers.trouble()
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// A client that answers questions.
    pub(super) fn client(&self) -> Result<Arc<Client>, OpenError> {
        let client = self.producers.client(&self.settings);
        client.map_err(|error| OpenError::NotReady(error.to_string()))
    }

    /// Whether a topic is there.
    pub(super) async fn exists(&self, topic: &Arc<str>, config: &str) -> Result<(), OpenError> {
        check::exists(self.client()?, &self.settings, topic, config).await
    }
}

impl Broker for Kafka {
    type Source = KafkaSource;

    fn durable(&self, wiring: &Wiring, _: &str) -> String {
        group_of(&self.settings.group, &wiring.namespace, &wiring.function)
    }

    fn transactional(&self) -> bool {
        true
    }

    async fn open(&self, subscription: &Subscription) -> Result<Self::Source, OpenError> {
        self.exists(&subscription.topic, check::config(Purpose::Reply))
            .await?;
        member::join(Arc::clone(&self.settings), subscription, self.client()?).await
    }

    async fn check(&self, topic: &Arc<str>, purpose: Purpose) -> Result<(), OpenError> {
        self.exists(topic, check::config(purpose)).await?;
        match purpose {
            Purpose::Reply => Ok(()),
            Purpose::DeadLetter => check::keeps_letters(&self.settings, topic).await,
        }
    }

    async fn publish(&self, publication: &Publication) -> Result<Stored, PublishError> {
        self.producers.publish(&self.settings, publication).await
    }
}

impl Codec for Kafka {
    fn decode(&self, message: &Message) -> Decoded {
        format::decode(message)
    }

    fn encode(
        &self,
        topic: &Arc<str>,
        event: &Event,
        format: Format,
    ) -> Result<Publication, String> {
        format::encode(topic, event, format)
    }

    fn headers(&self, message: &Message) -> HeaderMap {
        headers::of(message)
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
