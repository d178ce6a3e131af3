//! Delivery's own numbers, by function and topic.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openfaas_telemetry::metrics::{Counter, Gauge, Histogram, Metrics, SECONDS};

use crate::observe::{Observation, Observer, Standing, State, What};
use crate::wiring::LAG;

/// Whoever shows these numbers asks the broker that often how much is left.
pub const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Everything that can become of an event, as the label `outcome` names it.
const OUTCOMES: [&str; 9] = [
    "received",
    "filtered",
    "repeated",
    "unanswered",
    "untold",
    "waiting",
    "dead_lettered",
    "settled",
    "let_go",
];

/// Counts what happens, for `/metrics` and whoever else reads the metrics it was made with.
///
/// Handles are resolved once for each function and topic.
#[derive(Debug)]
pub struct DeliveryMetrics {
    metrics: Metrics,
    subscriptions: RwLock<Subscriptions>,
}

/// By namespace, function and topic.
type Subscriptions = BTreeMap<String, BTreeMap<String, BTreeMap<String, Arc<Numbers>>>>;

/// The numbers of one function on one topic.
#[derive(Debug)]
struct Numbers {
    /// In the order of [`OUTCOMES`].
    events: [Counter; OUTCOMES.len()],
    /// By hundreds of the status: `5xx` last.
    answers: [Counter; 5],
    calls: Histogram,
    replies: Counter,
    repeats: Counter,
    gone: Counter,
    ready: Gauge,
    waits: Gauge,
    standing: Gauges,
}

/// How it stands.
#[derive(Debug)]
struct Gauges {
    lag: Gauge,
    oldest: Gauge,
    held: Gauge,
    in_flight: Gauge,
    waiting: Gauge,
    paused: Gauge,
}

impl DeliveryMetrics {
    /// Counts in `metrics`.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            metrics: metrics.clone(),
            subscriptions: RwLock::default(),
        }
    }

    fn numbers(&self, observation: &Observation<'_>) -> Arc<Numbers> {
        let &Observation {
            namespace,
            function,
            topic,
            ..
        } = observation;
        let known = self
            .subscriptions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let topics = known.get(namespace).and_then(|all| all.get(function));
        if let Some(numbers) = topics.and_then(|topics| topics.get(topic)) {
            return Arc::clone(numbers);
        }
        drop(known);
        let mut known = self
            .subscriptions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let functions = known.entry(namespace.to_owned()).or_default();
        let topics = functions.entry(function.to_owned()).or_default();
        let new = || Arc::new(Numbers::new(&self.metrics, observation));
        Arc::clone(topics.entry(topic.to_owned()).or_insert_with(new))
    }
}

impl Observer for DeliveryMetrics {
    fn observe(&self, observation: &Observation<'_>) {
        self.numbers(observation).count(&observation.what);
    }
}

impl Numbers {
    fn new(metrics: &Metrics, of: &Observation<'_>) -> Self {
        let labels = [
            ("function", of.function),
            // Not `namespace`: Prometheus gives everything that it scrapes a label of that name.
            ("function_namespace", of.namespace),
            ("topic", of.topic),
        ];
        let with = |key, value| [labels[0], labels[1], labels[2], (key, value)];
        let counter = |name, help| metrics.counter(name, help, &labels);
        let gauge = |name, help| metrics.gauge(name, help, &labels);
        Self {
            events: OUTCOMES.map(|outcome| {
                let help = "Events by what became of them; one event counts at each step.";
                metrics.counter(
                    "openfaas_delivery_events_total",
                    help,
                    &with("outcome", outcome),
                )
            }),
            answers: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|code| {
                let help = "Answers of the function to events, by status.";
                metrics.counter("openfaas_delivery_answers_total", help, &with("code", code))
            }),
            calls: metrics.histogram(
                "openfaas_delivery_call_duration_seconds",
                "How long calls took that ended with an answer.",
                SECONDS,
                &labels,
            ),
            replies: counter(
                "openfaas_delivery_replies_total",
                "Replies that were stored.",
            ),
            repeats: counter(
                "openfaas_delivery_repeats_total",
                "What could not be stored or settled, and was repeated.",
            ),
            gone: counter(
                "openfaas_delivery_gone_total",
                "Messages that retention removed before they were delivered.",
            ),
            ready: gauge(
                "openfaas_delivery_ready",
                "1 while the subscription takes events.",
            ),
            waits: gauge(
                "openfaas_delivery_waits_for_function",
                "1 while the function is down, full or sick.",
            ),
            standing: Gauges {
                lag: gauge(
                    LAG,
                    "Messages that are not settled: those that wait, run, are tried again or become dead letters, and \
                     those that nobody was given yet.",
                ),
                oldest: gauge(
                    "openfaas_delivery_oldest_seconds",
                    "For how long the oldest message that is held lies at the broker.",
                ),
                held: gauge("openfaas_delivery_held_messages", "Messages that are held."),
                in_flight: gauge(
                    "openfaas_delivery_in_flight_messages",
                    "Messages that are in a call.",
                ),
                waiting: gauge(
                    "openfaas_delivery_waiting_messages",
                    "Messages that wait for a retry.",
                ),
                paused: gauge(
                    "openfaas_delivery_paused",
                    "1 while no more messages are taken, because as many are held as may be.",
                ),
            },
        }
    }

    fn count(&self, what: &What<'_>) {
        let outcome = match what {
            What::Received => "received",
            What::Filtered => "filtered",
            What::Repeated => "repeated",
            What::Unanswered { .. } => "unanswered",
            What::Untold { .. } => "untold",
            What::Waiting { .. } => "waiting",
            What::DeadLettered { .. } => "dead_lettered",
            What::Settled => "settled",
            What::LetGo => "let_go",
            What::Started { .. } => return,
            What::Answered { status, took } => {
                let hundreds = usize::from(*status / 100).clamp(1, 5);
                self.answers[hundreds - 1].add(1);
                return self.calls.record_duration(*took);
            }
            What::Replied { .. } => return self.replies.add(1),
            What::Repeating { .. } => return self.repeats.add(1),
            What::Gone { count } => return self.gone.add(*count),
            What::State(state) => return self.state(*state),
            What::Standing(standing) => return self.standing.set(standing),
        };
        let place = OUTCOMES.iter().position(|known| *known == outcome);
        if let Some(counter) = place.and_then(|place| self.events.get(place)) {
            counter.add(1);
        }
    }

    fn state(&self, state: State<'_>) {
        match state {
            State::Ready => self.ready.set(1.0),
            State::NotReady(_) | State::StandsBy => self.ready.set(0.0),
            // What is left is told by whoever has it next.
            State::Interrupted(_) | State::Lost(_) | State::Draining => {
                self.ready.set(0.0);
                self.standing.set(&Standing {
                    lag: Some(0),
                    ..Standing::default()
                });
            }
            State::Down(_) | State::Sick => self.waits.set(1.0),
            State::Up => self.waits.set(0.0),
            State::Began { .. } | State::TakingOver { .. } | State::OneByOne => {}
        }
    }
}

impl Gauges {
    fn set(&self, standing: &Standing) {
        if let Some(lag) = standing.lag {
            self.lag.set(lag as f64);
        }
        self.oldest.set(standing.oldest.as_secs_f64());
        self.held.set(standing.held as f64);
        self.in_flight.set(standing.in_flight as f64);
        self.waiting.set(standing.waiting as f64);
        self.paused.set(f64::from(u8::from(standing.paused)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[test]
    fn what_happens_is_counted_by_function_and_topic() {
        let metrics = Metrics::new();
        let delivery = DeliveryMetrics::new(&metrics);
        let took = Duration::from_millis(30);
        let standing = Standing {
            lag: Some(12),
            oldest: Duration::from_millis(2_500),
            held: 3,
            in_flight: 2,
            waiting: 1,
            paused: true,
        };
        for (topic, what) in [
            ("orders", What::Standing(standing)),
            ("orders", What::Received),
            ("orders", What::Answered { status: 503, took }),
            ("orders", What::Answered { status: 204, took }),
            ("orders", What::Settled),
            ("returns", What::Received),
            ("orders", What::State(State::Down("away"))),
            ("orders", What::Gone { count: 7 }),
        ] {
            delivery.observe(&Observation {
                at: Time::default(),
                function: "order",
                namespace: "fn",
                topic,
                position: None,
                event: None,
                what,
            });
        }
        let text = metrics.render();
        let labels = "function=\"order\",function_namespace=\"fn\",topic=\"orders\"";
        for line in [
            format!("openfaas_delivery_events_total{{{labels},outcome=\"received\"}} 1"),
            format!("openfaas_delivery_events_total{{{labels},outcome=\"settled\"}} 1"),
            format!("openfaas_delivery_events_total{{{labels},outcome=\"dead_lettered\"}} 0"),
            format!("openfaas_delivery_answers_total{{{labels},code=\"5xx\"}} 1"),
            format!("openfaas_delivery_answers_total{{{labels},code=\"2xx\"}} 1"),
            format!("openfaas_delivery_call_duration_seconds_count{{{labels}}} 2"),
            format!("openfaas_delivery_gone_total{{{labels}}} 7"),
            format!("openfaas_delivery_waits_for_function{{{labels}}} 1"),
            format!("openfaas_delivery_lag_messages{{{labels}}} 12"),
            format!("openfaas_delivery_oldest_seconds{{{labels}}} 2.5"),
            format!("openfaas_delivery_held_messages{{{labels}}} 3"),
            format!("openfaas_delivery_in_flight_messages{{{labels}}} 2"),
            format!("openfaas_delivery_waiting_messages{{{labels}}} 1"),
            format!("openfaas_delivery_paused{{{labels}}} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(
            text.contains("topic=\"returns\",outcome=\"received\"} 1"),
            "{text}"
        );
    }

    #[test]
    fn who_has_nothing_any_more_has_no_lag_and_one_who_cannot_tell_keeps_it() {
        let metrics = Metrics::new();
        let delivery = DeliveryMetrics::new(&metrics);
        let standing = |lag| Standing {
            lag,
            ..Standing::default()
        };
        let tell = |what| {
            delivery.observe(&Observation {
                at: Time::default(),
                function: "order",
                namespace: "fn",
                topic: "orders",
                position: None,
                event: None,
                what,
            });
            let text = metrics.render();
            let mut lines = text.lines();
            let line = lines.find(|line| line.starts_with("openfaas_delivery_lag_messages{"));
            line.unwrap().rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!(tell(What::Standing(standing(Some(7)))), "7");
        assert_eq!(tell(What::Standing(standing(None))), "7");
        assert_eq!(tell(What::State(State::NotReady("away"))), "7");
        assert_eq!(tell(What::State(State::Lost("away"))), "0");
    }
}
