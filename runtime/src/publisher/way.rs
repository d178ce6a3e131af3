//! The ways to topics.

#[cfg(any(feature = "nats", feature = "kafka"))]
use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use http::Uri;
use openfaas_cloudevents::Event;
#[cfg(any(feature = "nats", feature = "kafka"))]
use openfaas_delivery::broker::{Inspect, OpenError, PublishError};
#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::Kafka;
#[cfg(feature = "nats")]
use openfaas_delivery::nats::{self, Nats};
use openfaas_delivery::wiring::{Broker, Format};
#[cfg(feature = "nats")]
use tokio::sync::OnceCell;

use super::bus::Bus;
use crate::config::{ConfigError, Connection};

/// A broker that says nothing for so long is asked whether there is such a topic: Kafka's client waits for one that is
/// missing.
#[cfg(any(feature = "nats", feature = "kafka"))]
const SILENCE: Duration = Duration::from_secs(1);

/// Where topics are, connected when that is first needed.
pub(super) enum Way {
    /// Nothing says where.
    Nowhere,
    /// Something says it, and wrongly.
    Wrong(Box<ConfigError>),
    /// The bus of a local runner.
    Bus(Box<Bus>),
    #[cfg(feature = "nats")]
    Nats(Box<nats::Config>, Box<OnceCell<Nats>>),
    #[cfg(feature = "kafka")]
    Kafka(Box<Kafka>),
}

/// Why an event is not stored.
pub(super) enum Failed {
    /// It is the broker's trouble: another time it may be.
    Now(String),
    /// It is the event's own.
    Never(String),
}

/// An event on its way.
#[cfg_attr(
    not(any(feature = "nats", feature = "kafka")),
    expect(dead_code, reason = "the bus asks for less than brokers do")
)]
pub(super) struct Publication<'a> {
    pub(super) topic: &'a str,
    pub(super) event: &'a Event,
    pub(super) format: Format,
    /// By which the broker knows it when it is repeated.
    pub(super) dedup: String,
}

// === impl Way ===

impl Way {
    pub(super) fn by(connection: &Connection) -> Way {
        match *connection {
            #[cfg(feature = "nats")]
            Connection::Nats(ref config) => Way::Nats(config.clone(), Box::default()),
            #[cfg(feature = "kafka")]
            Connection::Kafka(ref settings) => {
                Way::Kafka(Box::new(Kafka::new((**settings).clone())))
            }
        }
    }

    pub(super) fn to_bus(url: Uri) -> Way {
        Way::Bus(Box::new(Bus::at(url)))
    }

    /// Whose names of topics count.
    pub(super) fn broker(&self) -> Option<Broker> {
        match self {
            Way::Nowhere | Way::Wrong(_) | Way::Bus(_) => None,
            #[cfg(feature = "nats")]
            Way::Nats(..) => Some(Broker::Nats),
            #[cfg(feature = "kafka")]
            Way::Kafka(_) => Some(Broker::Kafka),
        }
    }

    /// What is in the way of what was not answered, as far as it is known here.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            Way::Nowhere | Way::Wrong(_) | Way::Bus(_) => None,
            #[cfg(feature = "nats")]
            Way::Nats(_, connected) => connected.get()?.trouble(),
            #[cfg(feature = "kafka")]
            Way::Kafka(kafka) => kafka.trouble(),
        }
    }

    /// Done only when the broker has said so.
    pub(super) async fn store(&self, publication: &Publication<'_>) -> Result<(), Failed> {
        match self {
            Way::Nowhere => Err(Failed::Never("there is no broker".to_owned())),
            Way::Wrong(wrong) => Err(Failed::Never(wrong.to_string())),
            Way::Bus(bus) => bus.store(publication.topic, publication.event).await,
            #[cfg(feature = "nats")]
            Way::Nats(config, connected) => {
                let connecting = connected.get_or_try_init(|| Nats::connect(config));
                let nats = connecting.await;
                let nats = nats.map_err(|wrong| Failed::Never(wrong.to_string()))?;
                store(nats, publication).await
            }
            #[cfg(feature = "kafka")]
            Way::Kafka(kafka) => store(&**kafka, publication).await,
        }
    }
}

#[cfg(any(feature = "nats", feature = "kafka"))]
async fn store<B: Inspect>(to: &B, publication: &Publication<'_>) -> Result<(), Failed> {
    let topic = Arc::from(publication.topic);
    let mut encoded = to
        .encode(&topic, publication.event, publication.format)
        .map_err(Failed::Never)?;
    encoded.dedup = Some(publication.dedup.clone());
    let silent = async {
        tokio::time::sleep(SILENCE).await;
        match missing(to, &topic).await {
            Some(why) => why,
            None => pending().await,
        }
    };
    let stored = tokio::select! {
        biased;
        stored = pin!(to.publish(&encoded)) => stored,
        why = silent => return Err(Failed::Never(why)),
    };
    match stored {
        Ok(_) => Ok(()),
        Err(PublishError::Unavailable(reason)) => Err(match missing(to, &topic).await {
            Some(why) => Failed::Never(why),
            None => Failed::Now(reason),
        }),
        Err(never) => Err(Failed::Never(never.to_string())),
    }
}

/// Why there is no such topic, where the broker says so.
#[cfg(any(feature = "nats", feature = "kafka"))]
async fn missing(at: &impl Inspect, topic: &str) -> Option<String> {
    match at.find(topic).await {
        Err(OpenError::NotReady(why)) => Some(why),
        Ok(()) | Err(OpenError::Unavailable(_)) => None,
    }
}
