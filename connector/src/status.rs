//! What health, readiness and the log are told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openfaas_delivery::observe::{Observation, Observer, Repeats, State, What};
use openfaas_delivery::wiring::Wiring;

/// What a connector knows of itself.
#[derive(Debug)]
pub struct Status {
    seen: Mutex<Seen>,
    repeats: Repeats,
    /// A line for each answer.
    print_response: bool,
    /// The list is asked for this often; much later than that something is stuck.
    rebuild_interval: Duration,
}

#[derive(Debug)]
struct Seen {
    /// When the list was last asked for.
    beat: Instant,
    /// Why there is no list yet; `None` once there was one.
    unlisted: Option<String>,
    /// By namespace, function and topic: why it takes no events, or `None` while it does.
    subscriptions: BTreeMap<[String; 3], Option<String>>,
    draining: bool,
}

/// How long the list may take beyond its interval before the connector counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

impl Status {
    /// Nothing is known yet.
    pub fn new(rebuild_interval: Duration, print_response: bool) -> Self {
        Self {
            seen: Mutex::new(Seen {
                beat: Instant::now(),
                unlisted: Some("the gateway was not asked yet".to_owned()),
                subscriptions: BTreeMap::new(),
                draining: false,
            }),
            repeats: Repeats::default(),
            print_response,
            rebuild_interval,
        }
    }

    /// The list is here, with functions that are wired like this; others are forgotten.
    pub(crate) fn listed<'a>(&self, wirings: impl Iterator<Item = &'a Wiring>) {
        let mut seen = self.seen();
        seen.beat = Instant::now();
        seen.unlisted = None;
        let known = std::mem::take(&mut seen.subscriptions);
        let places = wirings.flat_map(|wiring| {
            let place = |topic| [&wiring.namespace, &wiring.function, topic].map(String::clone);
            wiring.topics.iter().map(place)
        });
        let with_state = |place| {
            let why = known.get(&place).cloned();
            (place, why.unwrap_or(Some("not open yet".to_owned())))
        };
        seen.subscriptions = places.map(with_state).collect();
    }

    /// There is no list this time.
    pub(crate) fn not_listed(&self, why: &str) {
        let mut seen = self.seen();
        seen.beat = Instant::now();
        if let Some(unlisted) = &mut seen.unlisted {
            *unlisted = why.to_owned();
        }
    }

    /// Nothing new is started.
    pub(crate) fn draining(&self) {
        self.seen().draining = true;
    }

    /// Whether this process does its work.
    ///
    /// # Errors
    /// One sentence when it does not.
    pub fn health(&self) -> Result<(), String> {
        let since = self.seen().beat.elapsed();
        if since > self.rebuild_interval + STUCK {
            return Err(format!(
                "the functions were not listed for {} s",
                since.as_secs()
            ));
        }
        Ok(())
    }

    /// Whether events are delivered: the functions are known, and of the subscriptions, if there are any, at least one
    /// takes events, or would if another connector did not.
    ///
    /// # Errors
    /// Why not, a line for each reason.
    pub fn ready(&self) -> Result<(), String> {
        let seen = self.seen();
        if seen.draining {
            return Err("draining".to_owned());
        }
        if let Some(why) = &seen.unlisted {
            return Err(why.clone());
        }
        let mut reasons = Vec::new();
        for ([_, function, topic], why) in &seen.subscriptions {
            match why {
                Some(why) => reasons.push(format!("{function} on {topic}: {why}")),
                None => return Ok(()),
            }
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons.join("\n"))
        }
    }

    /// A subscription's state; whether it is news.
    fn set(&self, observation: &Observation<'_>, why: Option<&str>) -> bool {
        let place = [
            observation.namespace,
            observation.function,
            observation.topic,
        ];
        let why = why.map(str::to_owned);
        let old = self
            .seen()
            .subscriptions
            .insert(place.map(str::to_owned), why.clone());
        old != Some(why)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what a person would want to know; never what an event holds.
impl Observer for Status {
    fn observe(&self, observation: &Observation<'_>) {
        let (function, topic) = (observation.function, observation.topic);
        let place = || {
            observation
                .position
                .map_or_else(String::new, ToString::to_string)
        };
        let news = match observation.what {
            What::State(State::NotReady(why)) => self.set(observation, Some(why)),
            What::State(State::Ready | State::StandsBy) => self.set(observation, None),
            _ => true,
        };
        match observation.what {
            What::State(State::NotReady(why)) if news => {
                tracing::warn!(function, topic, "takes no events: {why}");
            }
            What::State(State::Ready) if news => tracing::info!(function, topic, "takes events"),
            What::State(State::StandsBy) if news => {
                tracing::info!(
                    function,
                    topic,
                    "stands by: another connector takes the events"
                );
            }
            What::State(State::Began { start, waiting }) => {
                tracing::info!(function, topic, waiting, "begins with {start}");
            }
            What::State(State::Interrupted(why) | State::Lost(why)) => {
                tracing::warn!(function, topic, "begins again: {why}");
            }
            What::State(State::Down(why)) => {
                tracing::warn!(
                    function,
                    topic,
                    "waits, the function does not answer: {}",
                    without_words(why)
                );
            }
            What::State(State::Sick) => tracing::warn!(
                function,
                topic,
                "one event at a time: the last 20 answers were all retries"
            ),
            What::State(State::Up) => tracing::info!(function, topic, "the function answers again"),
            What::State(State::TakingOver { pending }) => {
                tracing::info!(
                    function,
                    topic,
                    pending,
                    "takes over what an earlier owner held"
                );
            }
            What::State(State::OneByOne) => {
                tracing::info!(
                    function,
                    topic,
                    "one event a call: the function knows no batches"
                );
            }
            What::State(State::Draining) => tracing::info!(function, topic, "drains"),
            What::DeadLettered {
                topic: letters,
                reason,
            } => tracing::warn!(
                function,
                topic,
                position = %place(),
                "is a dead letter in {letters}: {}",
                without_words(reason)
            ),
            What::Repeating { step, reason } => {
                if let Some(times) = self.repeats.say(observation, step) {
                    tracing::warn!(
                        function,
                        topic,
                        position = %place(),
                        times,
                        "{step} repeated: {reason}"
                    );
                }
            }
            What::Gone { count } => tracing::warn!(
                function,
                topic,
                count,
                "retention removed messages before they were delivered"
            ),
            What::Answered { status, took } if self.print_response => tracing::info!(
                function,
                topic,
                position = %place(),
                status,
                "answered after {} ms",
                took.as_millis()
            ),
            _ => {}
        }
    }
}

/// A reason without the words of others that follow in it, which may be those of a message. A dead letter has them all.
fn without_words(reason: &str) -> &str {
    reason.split_once(": ").map_or(reason, |(ours, _)| ours)
}

#[cfg(test)]
mod tests {
    use openfaas_delivery::clock::Time;

    use super::*;

    fn tell(status: &Status, function: &str, state: State<'_>) {
        status.observe(&Observation {
            at: Time::default(),
            function,
            namespace: "fn",
            topic: "orders",
            position: None,
            event: None,
            what: What::State(state),
        });
    }

    #[test]
    fn ready_means_that_events_can_be_delivered() {
        let status = Status::new(Duration::from_secs(5), false);
        status.not_listed("nobody at gateway:8080");
        assert_eq!(status.ready(), Err("nobody at gateway:8080".to_owned()));
        status.listed([].into_iter());
        assert_eq!(status.ready(), Ok(()), "there is nothing to wait for");
        let wired = |namespace, function| Wiring::new(function, namespace, ["orders"]);
        let [order, bill] = ["order", "bill"].map(|function| wired("fn", function));
        status.listed([&order, &bill].into_iter());
        let why = status.ready().unwrap_err();
        let expected = "bill on orders: not open yet\norder on orders: not open yet";
        assert_eq!(why, expected);
        tell(&status, "order", State::NotReady("no stream has orders"));
        let why = status.ready().unwrap_err();
        let expected = "bill on orders: not open yet\norder on orders: no stream has orders";
        assert_eq!(why, expected);
        tell(&status, "bill", State::Ready);
        assert_eq!(
            status.ready(),
            Ok(()),
            "one that waits for its stream keeps no other back"
        );
        tell(
            &status,
            "bill",
            State::NotReady("the broker does not answer"),
        );
        assert!(status.ready().is_err());
        tell(&status, "bill", State::StandsBy);
        assert_eq!(
            status.ready(),
            Ok(()),
            "it would take events if another did not"
        );
        let elsewhere = wired("elsewhere", "bill");
        status.listed([&order, &elsewhere].into_iter());
        let why = status.ready().unwrap_err();
        assert_eq!(why, expected, "a function that is gone speaks for nobody");
        status.not_listed("away");
        assert_eq!(status.ready().unwrap_err(), why, "the last good list stays");
        status.draining();
        assert_eq!(status.ready(), Err("draining".to_owned()));
        assert_eq!(status.health(), Ok(()));
    }
}
