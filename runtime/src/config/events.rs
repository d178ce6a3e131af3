//! What the environment says of a broker that the function has a way of its own to.

#[cfg(feature = "kafka")]
use openfaas_delivery::kafka;
#[cfg(feature = "nats")]
use openfaas_delivery::nats;
use openfaas_delivery::wiring::{Broker, Wiring};

use super::{Config, ConfigError};

/// A broker, and what the function takes from there.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    /// How the broker is reached.
    pub(crate) connection: Connection,
    /// `None`: it takes nothing, and may still publish.
    pub(crate) wiring: Option<Wiring>,
}

/// How a broker is reached. There is none in a build without the feature of one.
#[derive(Debug, Clone)]
pub(crate) enum Connection {
    #[cfg(feature = "nats")]
    Nats(Box<nats::Config>),
    #[cfg(feature = "kafka")]
    Kafka(Box<kafka::Settings>),
}

// === impl Events ===

impl Events {
    pub(super) fn from_lookup(
        function: &str,
        namespace: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Events>, ConfigError> {
        let broker = Broker::from_lookup(&lookup).map_err(|wrong| said(&[wrong]))?;
        let Some(broker) = broker else {
            return Ok(None);
        };
        let connection = Connection::to(broker, &lookup)?;
        let wiring = Wiring::from_lookup(function, namespace, &lookup);
        Ok(Some(Events {
            connection,
            wiring: wiring.map_err(|wrong| said(&wrong))?,
        }))
    }

    /// What cannot come true of its wiring.
    pub(super) fn beyond(&self, config: &Config) -> Option<String> {
        let (asked, limit) = (self.wiring.as_ref()?.concurrency, config.max_inflight?);
        (asked > limit && asked != Wiring::CONCURRENCY).then(|| {
            format!("events_concurrency is {asked}, but max_inflight lets no more than {limit} run")
        })
    }
}

fn said(wrong: &[impl ToString]) -> ConfigError {
    let sentences: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    ConfigError::Events(sentences.join("; "))
}

// === impl Connection ===

impl Connection {
    #[cfg_attr(
        not(any(feature = "nats", feature = "kafka")),
        expect(unused_variables, reason = "there is no broker to connect to")
    )]
    fn to(
        broker: Broker,
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<Connection, ConfigError> {
        match broker {
            #[cfg(feature = "nats")]
            Broker::Nats => match nats::Config::from_lookup(lookup) {
                Ok(config) => Ok(Connection::Nats(Box::new(config))),
                Err(wrong) => Err(said(&[wrong])),
            },
            #[cfg(feature = "kafka")]
            Broker::Kafka => match kafka::Settings::from_lookup(lookup) {
                Ok(settings) => Ok(Connection::Kafka(Box::new(settings))),
                Err(wrong) => Err(said(&[wrong])),
            },
            #[allow(unreachable_patterns, reason = "with every feature there is no other")]
            other => Err(ConfigError::NoBroker(other.name())),
        }
    }

    /// Which one it is.
    #[cfg(any(feature = "nats", feature = "kafka"))]
    pub(crate) fn broker(&self) -> Broker {
        match self {
            #[cfg(feature = "nats")]
            Connection::Nats(_) => Broker::Nats,
            #[cfg(feature = "kafka")]
            Connection::Kafka(_) => Broker::Kafka,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|key| {
            let found = pairs.iter().find(|(name, _)| *name == key)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn topics_without_a_broker_are_somebody_elses() {
        let config = config(&[("events_topic", "orders")]).unwrap();
        assert!(config.events.is_none());
    }

    #[test]
    fn an_unknown_broker_is_one_sentence() {
        let error = config(&[("events_broker", "mqtt")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "events_broker is \"mqtt\": write nats or kafka, or leave it out"
        );
    }

    #[cfg(not(feature = "nats"))]
    #[test]
    fn a_broker_that_is_not_built_in_names_its_feature() {
        let error = config(&[("events_broker", "nats"), ("events_topic", "orders")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "events_broker=nats needs the feature `nats` of openfaas-runtime: build the function with `--features nats`"
        );
    }

    #[cfg(feature = "nats")]
    #[test]
    fn a_door_is_wired_by_environment() {
        let set = [
            ("OPENFAAS_NAME", "order"),
            ("events_broker", "nats"),
            ("events_topic", "orders"),
            ("events_reply_topic", "payments"),
        ];
        let events = config(&set).unwrap().events.unwrap();
        let wiring = events.wiring.unwrap();
        assert_eq!(wiring.topics, ["orders"]);
        assert_eq!(
            wiring.dead_letter_topic(),
            "dead-letter.openfaas-fn.order",
            "under the function's own name"
        );
        let wrong = [set.as_slice(), &[("events_window", "many")]].concat();
        let error = config(&wrong).unwrap_err().to_string();
        assert!(error.starts_with("events_window is \"many\":"), "{error}");
    }

    #[cfg(feature = "nats")]
    #[test]
    fn more_events_than_places_are_doubted() {
        let set = [
            ("events_broker", "nats"),
            ("events_topic", "orders"),
            ("events_concurrency", "100"),
            ("max_inflight", "10"),
        ];
        let doubts = config(&set).unwrap().doubts();
        assert!(doubts[0].contains("no more than 10"), "{doubts:?}");
    }
}
