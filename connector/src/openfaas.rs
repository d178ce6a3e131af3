//! The metrics of OpenFaaS's own Kafka connector, under its names, so that its dashboards go on.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use openfaas_delivery::broker::Position;
use openfaas_delivery::observe::{Observation, Observer, State, What};
use openfaas_delivery::wiring::{Broker, group_of};
use openfaas_telemetry::metrics::{Counter, Gauge, Metrics};

/// Counts what theirs counts, if there is one for this broker.
#[derive(Debug)]
pub(crate) struct OpenFaas {
    metrics: Metrics,
    broker: Broker,
    /// What stands before `.<namespace>.<function>` in a group.
    prefix: String,
    /// `member_id`.
    member: String,
    functions: RwLock<HashMap<String, HashMap<String, Arc<Function>>>>,
}

/// One function, and so one group.
#[derive(Debug)]
struct Function {
    group: String,
    connects: Counter,
    partitions: RwLock<HashMap<Arc<str>, (Counter, Gauge)>>,
}

impl OpenFaas {
    /// Nothing counted yet.
    pub(crate) fn new(metrics: &Metrics, broker: Broker, prefix: &str, member: &str) -> Self {
        Self {
            metrics: metrics.clone(),
            broker,
            prefix: prefix.to_owned(),
            member: member.to_owned(),
            functions: RwLock::default(),
        }
    }

    fn function(&self, namespace: &str, name: &str) -> Arc<Function> {
        let known = self
            .functions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = known.get(namespace).and_then(|all| all.get(name)) {
            return Arc::clone(function);
        }
        drop(known);
        let group = group_of(&self.prefix, namespace, name);
        let function = Arc::new(Function {
            connects: self.metrics.counter(
                "kafka_connector_consumer_group_connect",
                "Times that a member of the group began to take messages.",
                &[("group", &group)],
            ),
            group,
            partitions: RwLock::default(),
        });
        let mut known = self
            .functions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let functions = known.entry(namespace.to_owned()).or_default();
        Arc::clone(functions.entry(name.to_owned()).or_insert(function))
    }

    /// A message of this partition is done.
    fn consumed(&self, function: &Function, topic: &str, position: &Position) {
        let count = |(consumed, offset): &(Counter, Gauge)| {
            consumed.add(1);
            offset.set(offset.get().max(position.offset as f64));
        };
        let known = function
            .partitions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(partition) = known.get(&position.log) {
            return count(partition);
        }
        drop(known);
        let partition = position.log.rsplit('/').next().unwrap_or_default();
        let labels = [
            ("group", function.group.as_str()),
            ("topic", topic),
            ("partition", partition),
            ("member_id", &self.member),
        ];
        let consumed = self.metrics.counter(
            "kafka_connector_messages_consumed",
            "Messages that are done.",
            &labels,
        );
        let offset = self.metrics.gauge(
            "kafka_connector_messages_offset",
            "The highest offset that is done.",
            &labels,
        );
        let mut known = function
            .partitions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        count(
            known
                .entry(Arc::clone(&position.log))
                .or_insert((consumed, offset)),
        );
    }
}

impl Observer for OpenFaas {
    fn observe(&self, observation: &Observation<'_>) {
        let function = || self.function(observation.namespace, observation.function);
        match (self.broker, observation.what) {
            (Broker::Kafka, What::State(State::Ready)) => function().connects.add(1),
            (Broker::Kafka, What::Settled) => {
                if let Some(position) = observation.position {
                    self.consumed(&function(), observation.topic, position);
                }
            }
            _ => {}
        }
    }
}
