//! The ways to topics.

#[cfg(any(feature = "nats", feature = "kafka"))]
use std::sync::Arc;

use http::Uri;
use openfaas_cloudevents::Event;
#[cfg(any(feature = "nats", feature = "kafka"))]
use openfaas_delivery::broker;
#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::Kafka;
#[cfg(feature = "nats")]
use openfaas_delivery::nats::{self, Nats};
use openfaas_delivery::wiring::{Broker, Format};
#[cfg(feature = "nats")]
use tokio::sync::OnceCell;

use super::bus::Bus;
use crate::config::Connection;

/// Where topics are, connected when that is first needed.
pub(super) enum Way {
    /// Nothing says where.
    Nowhere,
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
            Way::Nowhere | Way::Bus(_) => None,
            #[cfg(feature = "nats")]
            Way::Nats(..) => Some(Broker::Nats),
            #[cfg(feature = "kafka")]
            Way::Kafka(_) => Some(Broker::Kafka),
        }
    }

    /// Done only when the broker has said so.
    pub(super) async fn store(&self, publication: &Publication<'_>) -> Result<(), Failed> {
        match self {
            Way::Nowhere => Err(Failed::Never("there is no broker".to_owned())),
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
async fn store<B: broker::Broker>(to: &B, publication: &Publication<'_>) -> Result<(), Failed> {
    let topic = Arc::from(publication.topic);
    let mut encoded = to
        .encode(&topic, publication.event, publication.format)
        .map_err(Failed::Never)?;
    encoded.dedup = Some(publication.dedup.clone());
    match to.publish(&encoded).await {
        Ok(_) => Ok(()),
        Err(broker::PublishError::Unavailable(reason)) => Err(Failed::Now(reason)),
        Err(never) => Err(Failed::Never(never.to_string())),
    }
}
