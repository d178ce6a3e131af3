//! From annotations and environment variables to a [`Wiring`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use openfaas_cloudevents::timestamp;

use super::annotations as name;
use super::topic::{self, Use};
use super::{
    Broker, Codes, Format, Order, ReplyTopics, RetryPolicy, Start, Wiring, WiringError, covers,
    environment_name,
};
use crate::duration;
use crate::filter::Filter;

impl Wiring {
    /// The wiring of a function from its annotations; `None` where no `topic` is set.
    ///
    /// An annotation that is empty counts as absent. Annotations that are not [known](super::KNOWN) are left alone:
    /// [`misspelt`](super::misspelt) finds those that were meant.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn from_annotations(
        function: &str,
        namespace: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, Vec<WiringError>> {
        let lookup = |annotation: &str| annotations.get(annotation).cloned();
        Reader {
            lookup,
            shown: str::to_owned,
            errors: Vec::new(),
        }
        .wiring(function, namespace)
    }

    /// The same from [environment variables](environment_name), for a function that has a door of its own.
    ///
    /// # Errors
    /// As [`Wiring::from_annotations`]; errors name the variable.
    pub fn from_lookup(
        function: &str,
        namespace: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Vec<WiringError>> {
        let lookup = |annotation: &str| lookup(&environment_name(annotation));
        Reader {
            lookup,
            shown: environment_name,
            errors: Vec::new(),
        }
        .wiring(function, namespace)
    }
}

impl Broker {
    /// The broker that an environment names, whether or not there is a topic.
    ///
    /// # Errors
    /// It names none that is known.
    pub fn from_lookup(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, WiringError> {
        let mut reader = Reader {
            lookup: |annotation: &str| lookup(&environment_name(annotation)),
            shown: environment_name,
            errors: Vec::new(),
        };
        let broker = reader.read(name::BROKER, broker);
        reader.errors.pop().map_or(Ok(broker), Err)
    }
}

impl RetryPolicy {
    /// The retries of a function, on a topic or not: `com.openfaas.retry.*` also says how a queued call is tried again.
    ///
    /// # Errors
    /// Everything that is wrong with these annotations.
    pub fn from_annotations(
        annotations: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<WiringError>> {
        let lookup = |annotation: &str| annotations.get(annotation).cloned();
        let mut reader = Reader {
            lookup,
            shown: str::to_owned,
            errors: Vec::new(),
        };
        let retry = reader.retry();
        if reader.errors.is_empty() {
            Ok(retry)
        } else {
            Err(reader.errors)
        }
    }
}

/// Reads one annotation after the other and collects what is wrong.
struct Reader<L, S> {
    lookup: L,
    /// The name by which a value is known to whoever wrote it.
    shown: S,
    errors: Vec<WiringError>,
}

impl<L: Fn(&str) -> Option<String>, S: Fn(&str) -> String> Reader<L, S> {
    fn wiring(
        mut self,
        function: &str,
        namespace: &str,
    ) -> Result<Option<Wiring>, Vec<WiringError>> {
        let broker = self.read(name::BROKER, broker);
        let Some(topics) = self.text(name::TOPIC) else {
            return Ok(None);
        };
        let topics = self
            .check(name::TOPIC, &topics, |text| topic_list(text, broker))
            .unwrap_or_default();
        let mut wiring = Wiring {
            broker,
            ..Wiring::new(function, namespace, topics)
        };
        self.set(name::DOOR, &mut wiring.door, |text| match text {
            "true" if broker.is_none() => Err(
                "nothing says which broker it leads to; add events.broker, or leave this out"
                    .to_owned(),
            ),
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("write true or false".to_owned()),
        });
        self.set(name::REPLY_TOPIC, &mut wiring.replies, |text| {
            ReplyTopics::parse_for(text, broker)
        });
        self.set(name::DEAD_LETTER_TOPIC, &mut wiring.dead_letters, |text| {
            one_topic(text, broker)
        });
        self.own_dead_letters(&wiring);
        wiring.filter = self.read(name::FILTER, Filter::parse);
        self.set(name::ORDER, &mut wiring.order, |text| match text {
            "key" => Ok(Order::Key),
            "none" => Ok(Order::None),
            _ => Err("write key or none".to_owned()),
        });
        self.set(name::START, &mut wiring.start, start);
        self.set(name::CONCURRENCY, &mut wiring.concurrency, |text| {
            number(text, 1..=10_000)
        });
        self.set(name::WINDOW, &mut wiring.window, |text| {
            number(text, 1..=100_000)
        });
        self.set(name::BATCH_SIZE, &mut wiring.batch_size, |text| {
            number(text, 1..=10_000)
        });
        self.set(name::BATCH_LINGER, &mut wiring.batch_linger, linger);
        self.set(name::MAX_HOPS, &mut wiring.max_hops, |text| {
            number(text, 1..=1_000)
        });
        self.set(name::FORMAT, &mut wiring.format, |text| match text {
            "binary" => Ok(Format::Binary),
            "structured" => Ok(Format::Structured),
            _ => Err("write binary or structured".to_owned()),
        });
        self.set(
            name::TRANSACTIONS,
            &mut wiring.transactions,
            |text| match text {
                "true" if broker == Some(Broker::Nats) => Err(
                    "NATS has no transactions; leave it out, or let events.broker be kafka"
                        .to_owned(),
                ),
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err("write true or false".to_owned()),
            },
        );
        wiring.retry = self.retry();
        if self.errors.is_empty() {
            Ok(Some(wiring))
        } else {
            Err(self.errors)
        }
    }

    fn retry(&mut self) -> RetryPolicy {
        let mut retry = RetryPolicy::default();
        self.set(name::ATTEMPTS, &mut retry.attempts, |text| {
            number(text, 1..=1_000)
        });
        self.set(name::CODES, &mut retry.codes, Codes::parse);
        self.set(name::MIN_WAIT, &mut retry.min_wait, wait);
        self.set(name::MAX_WAIT, &mut retry.max_wait, wait);
        if retry.min_wait > retry.max_wait {
            let (min, max) = (
                duration::format(retry.min_wait),
                duration::format(retry.max_wait),
            );
            let written = if self.text(name::MAX_WAIT).is_some() {
                name::MAX_WAIT
            } else {
                name::MIN_WAIT
            };
            let value = self.text(written).unwrap_or_default();
            let message = format!(
                "the shortest wait is {min} and the longest {max}; let the longest be at least {min}"
            );
            self.fail(written, &value, message);
        }
        retry
    }

    /// A function that consumed its own dead letters would never come to an end with them.
    fn own_dead_letters(&mut self, wiring: &Wiring) {
        let own = &wiring.dead_letters;
        if let Some(covering) = wiring.topics.iter().find(|topic| covers(topic, own)) {
            let remedy = (self.shown)(name::DEAD_LETTER_TOPIC);
            let message = format!(
                "`{covering}` covers `{own}`, its own dead letters; set {remedy} to a topic outside of it"
            );
            self.fail(name::TOPIC, &wiring.topics.join(","), message);
        }
    }

    fn set<T>(
        &mut self,
        annotation: &str,
        field: &mut T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) {
        if let Some(value) = self.read(annotation, parse) {
            *field = value;
        }
    }

    fn read<T>(
        &mut self,
        annotation: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(annotation)?;
        self.check(annotation, &text, parse)
    }

    fn check<T>(
        &mut self,
        annotation: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(text)
            .map_err(|message| self.fail(annotation, text, message))
            .ok()
    }

    fn fail(&mut self, annotation: &str, value: &str, message: String) {
        self.errors.push(WiringError {
            annotation: (self.shown)(annotation),
            value: value.to_owned(),
            message,
        });
    }

    /// The value without white space around it; `None` where nothing is left.
    fn text(&self, annotation: &str) -> Option<String> {
        let text = (self.lookup)(annotation)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

fn broker(text: &str) -> Result<Broker, String> {
    match text {
        "nats" => Ok(Broker::Nats),
        "kafka" => Ok(Broker::Kafka),
        _ => Err("write nats or kafka, or leave it out".to_owned()),
    }
}

fn topic_list(text: &str, broker: Option<Broker>) -> Result<Vec<String>, String> {
    let mut topics: Vec<String> = Vec::new();
    for topic in topic::split(text) {
        topic::check(topic, broker, Use::Input)?;
        if let Some(other) = topics.iter().find(|other| covers(other, topic)) {
            return Err(format!(
                "`{other}` and `{topic}` give it the same event twice; keep one of them"
            ));
        }
        topics.push(topic.to_owned());
    }
    if topics.is_empty() {
        Err("write at least one topic, or leave it out".to_owned())
    } else {
        Ok(topics)
    }
}

fn one_topic(text: &str, broker: Option<Broker>) -> Result<String, String> {
    if topic::split(text).nth(1).is_some() || text.contains(',') {
        return Err("write one topic".to_owned());
    }
    topic::check(text, broker, Use::Output)?;
    Ok(text.to_owned())
}

fn start(text: &str) -> Result<Start, String> {
    match text {
        "oldest" => Ok(Start::Oldest),
        "new" => Ok(Start::New),
        _ => timestamp::parse(text)
            .map(Start::At)
            .ok_or_else(|| "write oldest, new or a time such as 2026-11-21T08:00:00Z".to_owned()),
    }
}

fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display>(
    text: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    match text.parse() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => Err(format!(
            "write a whole number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

fn linger(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(60);
    duration::parse(text)
        .filter(|linger| *linger <= LONGEST)
        .ok_or_else(|| "write a duration up to one minute, such as 50ms or 2s".to_owned())
}

fn wait(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .filter(|wait| !wait.is_zero())
        .ok_or_else(|| "write a duration above zero, such as 500ms or 1m30s".to_owned())
}

#[cfg(test)]
mod tests;
