//! Who is scaled, and by which subscriptions.

use openfaas_delivery::wiring::{Broker, Order, Wiring, WiringError};
use openfaas_stack::Stack;

use crate::settings::{Profile, Settings};

/// The most that OpenFaaS CE leaves a function (faas-netes, pkg/handlers/replica_reader.go).
const CE_MOST: u32 = 5;

/// One holds an ordered durable, the other stands by.
const ORDERED_MOST: u32 = 2;

/// A Deployment that is scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The Deployment's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether it is a function with a door; otherwise it is a connector.
    pub is_function: bool,
    /// The broker that it takes events from.
    pub broker: Broker,
    /// The functions whose topics it takes events from; for a function itself alone.
    pub wirings: Vec<Wiring>,
}

/// How many replicas, and why not others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicas {
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Why not fewer or not more, a sentence each.
    pub because: Vec<String>,
}

/// Why a stack cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// An annotation that cannot be.
    #[error("function {function}: {sentences}; `openfaas-operator lint` shows the line")]
    Wiring {
        /// Whose.
        function: String,
        /// What is wrong with it.
        sentences: String,
    },
}

// === impl Target ===

impl Target {
    /// Everything of a stack that is scaled: a connector for each broker that some function needs one for, then each
    /// function with a door, in the order of the file.
    ///
    /// # Errors
    /// The first function whose wiring is wrong.
    pub fn of(stack: &Stack, settings: &Settings) -> Result<Vec<Self>, TargetError> {
        let mut connectors =
            [Broker::Nats, Broker::Kafka].map(|broker| connector(broker, settings));
        let mut functions = Vec::new();
        for function in &stack.functions {
            let wrong = |errors| TargetError::wiring(&function.name, errors);
            let door = function.door().map_err(wrong)?;
            let wiring = function.wiring().map_err(wrong)?;
            let usual = settings.connector.into();
            match (door, wiring) {
                (Some(door), _) => functions.push(Self {
                    name: door.function.clone(),
                    namespace: door.namespace.clone(),
                    is_function: true,
                    broker: door.broker.unwrap_or(usual),
                    wirings: vec![door],
                }),
                (None, Some(wiring)) => connectors
                    .iter_mut()
                    .filter(|connector| connector.broker == wiring.broker.unwrap_or(usual))
                    .for_each(|connector| connector.wirings.push(wiring.clone())),
                (None, None) => {}
            }
        }
        let needed = connectors
            .into_iter()
            .filter(|connector| !connector.wirings.is_empty());
        Ok(needed.chain(functions).collect())
    }

    /// How many replicas it may have.
    pub fn replicas(&self, settings: &Settings) -> Replicas {
        let mut because = Vec::new();
        let mut max = settings.max_replicas;
        let ce = self.is_function && settings.profile == Profile::Ce;
        if ce {
            max = max.min(CE_MOST);
            because.push(format!(
                "OpenFaaS CE sets a function back to between 1 and {CE_MOST} replicas, so it gets no fewer and no more; \
                 `--profile plain` is for the others"
            ));
        }
        if !self.is_function {
            because.push(
                "at least 1 replica: only a connector that runs finds a new function and makes its durable or group"
                    .to_owned(),
            );
        }
        let ordered = |wiring: &Wiring| wiring.order == Order::Key;
        if self.broker == Broker::Nats && self.wirings.iter().all(ordered) && max > ORDERED_MOST {
            max = ORDERED_MOST;
            because.push(format!(
                "at most {ORDERED_MOST} replicas: on NATS an ordered durable has one owner, and the second stands by; \
                 with `events.order: none` all take part"
            ));
        }
        let min = u32::from(ce || !self.is_function);
        Replicas { min, max, because }
    }

    /// Every function with each of its topics.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&Wiring, &str)> {
        self.wirings.iter().flat_map(|wiring| {
            wiring
                .topics
                .iter()
                .map(move |topic| (wiring, topic.as_str()))
        })
    }
}

fn connector(broker: Broker, settings: &Settings) -> Target {
    Target {
        name: format!("openfaas-connector-{}", broker.name()),
        namespace: settings.connector_namespace.clone(),
        is_function: false,
        broker,
        wirings: Vec::new(),
    }
}

// === impl TargetError ===

impl TargetError {
    fn wiring(function: &str, errors: Vec<WiringError>) -> Self {
        let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self::Wiring {
            function: function.to_owned(),
            sentences: sentences.join("; "),
        }
    }
}
