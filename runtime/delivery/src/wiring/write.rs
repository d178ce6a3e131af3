//! From a [`Wiring`] back to annotations and environment variables.

use openfaas_cloudevents::timestamp;

use super::annotations as name;
use super::{Broker, Format, Order, Start, Wiring, environment_name};
use crate::duration;

impl Wiring {
    /// The annotations that make this wiring, without those that say what holds anyway.
    pub fn to_annotations(&self) -> Vec<(&'static str, String)> {
        let default = Self::new(&self.function, &self.namespace, self.topics.clone());
        let mut set = vec![(name::TOPIC, self.topics.join(","))];
        let mut differs = |name, differs: bool, value: String| {
            if differs {
                set.push((name, value));
            }
        };
        let broker = self.broker.map_or("", Broker::name);
        differs(name::BROKER, self.broker.is_some(), broker.to_owned());
        differs(name::DOOR, self.door, self.door.to_string());
        differs(
            name::REPLY_TOPIC,
            !self.replies.is_empty(),
            self.replies.to_string(),
        );
        differs(
            name::DEAD_LETTER_TOPIC,
            self.dead_letters != default.dead_letters,
            self.dead_letters.clone(),
        );
        let filter = self
            .filter
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        differs(name::FILTER, self.filter.is_some(), filter);
        differs(
            name::ORDER,
            self.order != default.order,
            self.order.name().to_owned(),
        );
        differs(name::START, self.start != default.start, self.start.text());
        differs(
            name::CONCURRENCY,
            self.concurrency != default.concurrency,
            self.concurrency.to_string(),
        );
        differs(
            name::WINDOW,
            self.window != default.window,
            self.window.to_string(),
        );
        differs(
            name::BATCH_SIZE,
            self.batch_size != default.batch_size,
            self.batch_size.to_string(),
        );
        let linger = duration::format(self.batch_linger);
        differs(
            name::BATCH_LINGER,
            self.batch_linger != default.batch_linger,
            linger,
        );
        differs(
            name::MAX_HOPS,
            self.max_hops != default.max_hops,
            self.max_hops.to_string(),
        );
        differs(
            name::FORMAT,
            self.format != default.format,
            self.format.name().to_owned(),
        );
        differs(
            name::TRANSACTIONS,
            self.transactions,
            self.transactions.to_string(),
        );
        let (retry, usual) = (&self.retry, default.retry);
        differs(
            name::ATTEMPTS,
            retry.attempts != usual.attempts,
            retry.attempts.to_string(),
        );
        differs(
            name::CODES,
            retry.codes != usual.codes,
            retry.codes.to_string(),
        );
        differs(
            name::MIN_WAIT,
            retry.min_wait != usual.min_wait,
            duration::format(retry.min_wait),
        );
        differs(
            name::MAX_WAIT,
            retry.max_wait != usual.max_wait,
            duration::format(retry.max_wait),
        );
        set
    }

    /// The same as environment variables.
    pub fn to_environment(&self) -> Vec<(String, String)> {
        self.to_annotations()
            .into_iter()
            .map(|(name, value)| (environment_name(name), value))
            .collect()
    }
}

impl Broker {
    /// As `events.broker` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }
}

impl Order {
    /// As `events.order` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::None => "none",
        }
    }
}

impl Format {
    /// As `events.format` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Structured => "structured",
        }
    }
}

impl Start {
    fn text(self) -> String {
        match self {
            Self::Oldest => "oldest".to_owned(),
            Self::New => "new".to_owned(),
            Self::At(instant) => timestamp::format(instant),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Valid annotations, any number of them.
    fn annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
        let values: &[(&str, &[&str])] = &[
            ("events.broker", &["nats", "kafka"]),
            ("events.door", &["true", "false"]),
            ("events.reply-topic", &["payments", "a=b,c=d,e"]),
            (
                "events.dead-letter-topic",
                &["graveyard", "dead-letter.openfaas-fn.order"],
            ),
            (
                "events.filter",
                &["type=a,subject=b", r#"{"not":{"prefix":{"type":"a"}}}"#],
            ),
            ("events.order", &["key", "none"]),
            (
                "events.start",
                &[
                    "oldest",
                    "new",
                    "2026-11-21T08:00:00.25Z",
                    "2026-11-21T08:00:00+02:00",
                ],
            ),
            ("events.concurrency", &["1", "64", "10000"]),
            ("events.window", &["1", "1000"]),
            ("events.batch-size", &["1", "100"]),
            ("events.batch-linger", &["0", "1m", "20ms"]),
            ("events.max-hops", &["1", "32"]),
            ("events.format", &["binary", "structured"]),
            ("events.transactions", &["true", "false"]),
            ("com.openfaas.retry.attempts", &["1", "10"]),
            (
                "com.openfaas.retry.codes",
                &["404", "4xx 503", "408,409,425,429,5xx"],
            ),
            ("com.openfaas.retry.min_wait", &["1ms", "1s"]),
            ("com.openfaas.retry.max_wait", &["1m", "1h30m"]),
        ];
        let one = |(name, values): &(&'static str, &'static [&'static str])| {
            let name = name.to_string();
            prop::option::of(prop::sample::select(values.to_vec()))
                .prop_map(move |value| (name.clone(), value))
        };
        values.iter().map(one).collect::<Vec<_>>().prop_map(|set| {
            let mut map = BTreeMap::from([("topic".to_owned(), "orders, shop.new".to_owned())]);
            map.extend(
                set.into_iter()
                    .filter_map(|(name, value)| Some((name, value?.to_owned()))),
            );
            if !map.contains_key("events.broker") {
                map.remove("events.door");
            }
            if map
                .get("events.broker")
                .is_some_and(|broker| broker == "nats")
            {
                map.remove("events.transactions");
            }
            map
        })
    }

    proptest! {
    #[test]
    fn what_is_written_as_environment_is_read_back(annotations in annotations()) {
        let wiring = Wiring::from_annotations("order", "openfaas-fn", &annotations).unwrap().unwrap();
        let environment: BTreeMap<String, String> = wiring.to_environment().into_iter().collect();
        let read = Wiring::from_lookup("order", "openfaas-fn", |key| environment.get(key).cloned());
        prop_assert_eq!(read.unwrap().unwrap(), wiring.clone());
        let again: BTreeMap<String, String> =
            wiring.to_annotations().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        prop_assert_eq!(Wiring::from_annotations("order", "openfaas-fn", &again).unwrap().unwrap(), wiring);
    }
    }
}
