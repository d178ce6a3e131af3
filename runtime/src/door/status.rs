use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use openfaas_delivery::observe::{Observation, Observer, Repeats, State, What};

use crate::Config;

/// Which topics give no event now, and why. It also says in the log what a person would want to know, and never what an
/// event holds.
#[derive(Debug)]
pub(crate) struct Status {
    topics: Mutex<BTreeMap<String, Option<String>>>,
    repeats: Repeats,
}

// === impl Status ===

impl Status {
    pub(crate) fn new(config: &Config) -> Status {
        let wiring = config
            .events
            .as_ref()
            .and_then(|events| events.wiring.as_ref());
        let unopened = |topic: &String| (topic.clone(), Some("not open yet".to_owned()));
        let topics = wiring.into_iter().flat_map(|wiring| &wiring.topics);
        Status {
            topics: Mutex::new(topics.map(unopened).collect()),
            repeats: Repeats::default(),
        }
    }

    /// Whether events come from each topic, or would if another replica did not have them.
    ///
    /// # Errors
    /// Why not, a line for each topic.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = topics.iter().filter_map(|(topic, why)| {
            let why = why.as_ref()?;
            Some(format!("no events from {topic}: {why}"))
        });
        let closed: Vec<String> = closed.collect();
        match closed.is_empty() {
            true => Ok(()),
            false => Err(closed.join("\n")),
        }
    }

    /// A topic's state; whether it is news.
    fn set(&self, topic: &str, why: Option<&str>) -> bool {
        let why = why.map(str::to_owned);
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.insert(topic.to_owned(), why.clone()) != Some(why)
    }
}

impl Observer for Status {
    fn observe(&self, observation: &Observation<'_>) {
        let topic = observation.topic;
        let place = || {
            let position = observation.position.map(ToString::to_string);
            position.unwrap_or_default()
        };
        match observation.what {
            What::State(State::NotReady(why)) if self.set(topic, Some(why)) => {
                tracing::warn!(topic, "no events: {why}");
            }
            What::State(State::Ready) if self.set(topic, None) => {
                tracing::info!(topic, "takes events");
            }
            What::State(State::StandsBy) if self.set(topic, None) => {
                tracing::info!(topic, "stands by: another replica takes the events");
            }
            What::State(State::Interrupted(why) | State::Lost(why)) => {
                self.set(topic, Some(why));
                tracing::warn!(topic, "begins again: {why}");
            }
            What::State(State::Began { start, waiting }) => {
                tracing::info!(topic, waiting, "begins with {start}");
            }
            What::State(State::Down(why)) => tracing::warn!(topic, "events wait: {why}"),
            What::State(State::Sick) => tracing::warn!(
                topic,
                "one event at a time: the last 20 answers were all retries"
            ),
            What::State(State::Up) => tracing::info!(topic, "events go on"),
            What::State(State::TakingOver { pending }) => {
                tracing::info!(topic, pending, "takes over what an earlier owner held");
            }
            What::DeadLettered {
                topic: letters,
                reason,
            } => tracing::warn!(
                topic,
                position = %place(),
                "is a dead letter in {letters}: {reason}"
            ),
            What::Repeating { step, reason } => {
                if let Some(times) = self.repeats.say(observation, step) {
                    tracing::warn!(topic, position = %place(), times, "{step} repeated: {reason}");
                }
            }
            What::Gone { count } => tracing::warn!(
                topic,
                count,
                "retention removed messages before they were delivered"
            ),
            _ => {}
        }
    }
}
