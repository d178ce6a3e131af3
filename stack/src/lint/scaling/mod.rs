//! ScaledObjects beside a stack: what KEDA takes without a word, and what then scales to nothing, to everything or never.
//!
//! Each rule is one of the ways in which KEDA 2.20 with NATS JetStream, Kafka or OpenFaaS is known to go wrong;
//! `docs/keda.md` tells them one by one.

mod kafka;
mod nats;
mod replicas;

use openfaas_delivery::wiring::{Broker, Wiring};

use crate::manifest::{Manifest, ScaledObject, Trigger};
use crate::model::Stack;
use crate::problem::Problem;

/// Where a manifest is to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// With OpenFaaS CE, which sets a function's replicas back to between 1 and 5.
    Ce,
    /// With any other OpenFaaS.
    Plain,
}

/// What the rules know of a stack.
struct Known {
    /// Every function that consumes, and whether by a door of its own.
    consumers: Vec<(Wiring, bool)>,
    cluster: Cluster,
}

/// Everything that is wrong with the ScaledObjects of a manifest beside this stack. Functions whose wiring is wrong count as
/// if they were not there: [`check`](super::check) speaks of them.
pub fn check_scaling(stack: &Stack, manifest: &Manifest, cluster: Cluster) -> Vec<Problem> {
    let known = Known::of(stack, cluster);
    manifest
        .scaled
        .iter()
        .flat_map(|object| {
            let mut problems = replicas::check(&known, object);
            for trigger in &object.triggers {
                problems.extend(match trigger.kind.as_str() {
                    "nats-jetstream" => nats::check(&known, object, trigger),
                    "kafka" | "apache-kafka" => kafka::check(&known, object, trigger),
                    _ => Vec::new(),
                });
            }
            problems
        })
        .collect()
}

// === impl Known ===

impl Known {
    fn of(stack: &Stack, cluster: Cluster) -> Self {
        let consumer = |function: &crate::Function| match function.door() {
            Ok(Some(door)) => Some((door, true)),
            _ => Some((function.wiring().ok()??, false)),
        };
        Self {
            consumers: stack.functions.iter().filter_map(consumer).collect(),
            cluster,
        }
    }

    /// The function and topic that a trigger of NATS looks at, by its durable.
    fn by_durable(&self, durable: &str) -> Option<(&Wiring, &str)> {
        let topics = self.on(Broker::Nats).flat_map(|wiring| {
            wiring
                .topics
                .iter()
                .map(move |topic| (wiring, topic.as_str()))
        });
        let mut found = topics.filter(|(wiring, topic)| wiring.durable(topic) == durable);
        found.next()
    }

    /// Every function that this broker may feed.
    fn on(&self, broker: Broker) -> impl Iterator<Item = &Wiring> {
        let feeds = move |wiring: &&Wiring| wiring.broker.is_none_or(|asked| asked == broker);
        self.consumers
            .iter()
            .map(|(wiring, _)| wiring)
            .filter(feeds)
    }

    /// The function that an object scales, if it scales one.
    fn door(&self, object: &ScaledObject) -> Option<&Wiring> {
        let namespace = object
            .namespace
            .as_ref()
            .map(|namespace| namespace.as_str());
        let scales = |wiring: &&(Wiring, bool)| {
            wiring.1
                && object.target == wiring.0.function.as_str()
                && namespace.is_none_or(|namespace| namespace == wiring.0.namespace)
        };
        self.consumers.iter().find(scales).map(|(wiring, _)| wiring)
    }
}

/// The value of a key, and where to point to when there is none.
fn value<'t>(trigger: &'t Trigger, key: &str) -> Option<&'t crate::Spanned<String>> {
    trigger.metadata.get(key).map(|entry| &entry.value)
}
