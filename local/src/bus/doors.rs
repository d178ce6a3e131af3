//! Functions that take their events from the broker of the run themselves.

use std::collections::BTreeMap;

use openfaas_delivery::wiring::{Broker, Wiring, environment_name};

use crate::{process::Spec, stack};

/// The broker of a run, as a function comes to it that has a door of its own there.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Which one it is; the feature that such a function is built with has its name.
    pub broker: Broker,
    /// What the runner itself was told about how to reach it.
    pub settings: BTreeMap<String, String>,
}

impl Doors {
    /// How a function consumes by a door to this broker, if it does: as its environment says, which is all that it reads on a
    /// cluster, or as its annotations say where `events.door` is one of them.
    pub(crate) fn of(&self, spec: &Spec) -> Option<Wiring> {
        let variable = |name: &str| spec.env_vars.get(name).cloned();
        let opened = Wiring::from_lookup(&spec.service, &spec.namespace, variable);
        let opened = opened.ok().flatten();
        let asked = || stack::wiring(spec).ok()?.filter(|wiring| wiring.door);
        let door = opened.filter(|door| door.broker.is_some()).or_else(asked)?;
        (door.broker == Some(self.broker)).then_some(door)
    }
}

/// How a function is wired, as the variables of its environment. Where the runner delivers to it, it is told of no broker,
/// whatever its own variables say.
pub(crate) fn environment(spec: &Spec, doors: Option<&Doors>) -> Vec<(String, String)> {
    if let Some((doors, door)) = doors.and_then(|doors| Some((doors, doors.of(spec)?))) {
        let settings = doors.settings.clone().into_iter();
        return settings.chain(door.to_environment()).collect();
    }
    let wiring = stack::wiring(spec).ok().flatten();
    let delivered = wiring.map(|wiring| Wiring {
        broker: None,
        door: false,
        ..wiring
    });
    let delivered = delivered.map_or_else(Vec::new, |wiring| wiring.to_environment());
    let no_broker = (environment_name("events.broker"), String::new());
    delivered.into_iter().chain([no_broker]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        let owned = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        owned.into_iter().collect()
    }

    #[test]
    fn a_function_is_told_of_a_broker_where_it_has_a_door_to_the_one_of_the_run() {
        let doors = |broker| Doors {
            broker,
            settings: strings([("broker_host", "127.0.0.1:4222")]),
        };
        let (nats, kafka) = (doors(Broker::Nats), doors(Broker::Kafka));
        let by_variables = Spec {
            service: "order".into(),
            env_vars: strings([("events_broker", "nats"), ("events_topic", "orders")]),
            ..Spec::default()
        };
        let asked = [
            ("topic", "orders"),
            ("events.broker", "nats"),
            ("events.door", "true"),
        ];
        let by_annotations = Spec {
            service: "order".into(),
            annotations: strings(asked),
            ..Spec::default()
        };
        for spec in [&by_variables, &by_annotations] {
            let open: BTreeMap<_, _> = environment(spec, Some(&nats)).into_iter().collect();
            assert_eq!(open["events_broker"], "nats");
            assert_eq!(open["events_topic"], "orders");
            assert_eq!(open["broker_host"], "127.0.0.1:4222");
            for elsewhere in [None, Some(&kafka)] {
                let closed: BTreeMap<_, _> = environment(spec, elsewhere).into_iter().collect();
                assert_eq!(closed["events_broker"], "", "{elsewhere:?}");
                assert_eq!(closed.get("broker_host"), None);
            }
        }
        let publishes = Spec {
            env_vars: strings([("events_broker", "nats")]),
            ..Spec::default()
        };
        assert!(nats.of(&publishes).is_none(), "it consumes nothing");
    }
}
