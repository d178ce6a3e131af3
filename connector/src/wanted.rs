//! Which functions want a delivery, and what is wrong with the wiring of others.

use openfaas_delivery::engine::{Delivery, Wanted};
use openfaas_delivery::wiring::{Broker, START, Wiring};

use crate::config::Config;
use crate::gateway::Function;

/// What a list of functions comes to.
#[derive(Debug, Default)]
pub struct List {
    /// Those to deliver to.
    pub wanted: Vec<Wanted>,
    /// A sentence for each function that cannot be delivered to as it is wired.
    pub wrong: Vec<String>,
}

impl List {
    /// Those of `functions` that hang on topics of `broker`.
    pub fn of(functions: &[Function], broker: Broker, config: &Config) -> Self {
        let mut list = Self::default();
        for function in functions {
            match delivery(function, broker, config) {
                Ok(Some(delivery)) => list.wanted.push(Wanted {
                    delivery,
                    image: format!("{} {}", function.image, function.created_at),
                }),
                Ok(None) => {}
                Err(wrong) => list
                    .wrong
                    .push(format!("{} gets no events: {wrong}", qualified(function))),
            }
        }
        list
    }
}

fn delivery(
    function: &Function,
    broker: Broker,
    config: &Config,
) -> Result<Option<Delivery>, String> {
    let none = Default::default();
    let annotations = function.annotations.as_ref().unwrap_or(&none);
    let wiring = Wiring::from_annotations(&function.name, &function.namespace, annotations)
        .map_err(|errors| {
            let sentences: Vec<_> = errors.iter().map(ToString::to_string).collect();
            sentences.join("; ")
        })?;
    let Some(mut wiring) = wiring else {
        return Ok(None);
    };
    if wiring.door || wiring.broker.is_some_and(|asked| asked != broker) {
        return Ok(None);
    }
    if let Some(start) = config.start.filter(|_| !annotations.contains_key(START)) {
        wiring.start = start;
    }
    if let Some(topics) = &config.topics {
        wiring.topics.retain(|topic| topics.contains(topic));
    }
    if wiring.topics.is_empty() {
        return Ok(None);
    }
    if config.asynchronous && !wiring.replies.is_empty() {
        return Err(
            "it has a reply topic, and asynchronous_invocation is set: the gateway's queue keeps its answers to \
             itself; unset one of the two"
                .to_owned(),
        );
    }
    let mut delivery = Delivery::to(wiring);
    delivery.timeout = config.upstream_timeout;
    delivery.drain_timeout = config.drain_timeout;
    Ok(Some(delivery))
}

fn qualified(function: &Function) -> String {
    match function.namespace.as_str() {
        "" => function.name.clone(),
        namespace => format!("{}.{namespace}", function.name),
    }
}

#[cfg(test)]
mod tests {
    use openfaas_delivery::wiring::Start;

    use super::*;

    fn function(name: &str, annotations: &[(&str, &str)]) -> Function {
        Function {
            name: name.to_owned(),
            namespace: "openfaas-fn".to_owned(),
            image: "one".to_owned(),
            annotations: Some(
                annotations
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            ),
            ..Function::default()
        }
    }

    fn list(pairs: &[(&str, &str)], functions: &[Function]) -> List {
        let lookup = |key: &str| {
            let found = pairs.iter().find(|(name, _)| *name == key)?;
            Some(found.1.to_owned())
        };
        List::of(
            functions,
            Broker::Nats,
            &Config::from_lookup(Broker::Nats, lookup).unwrap(),
        )
    }

    #[test]
    fn functions_with_topics_of_this_broker_are_wanted() {
        let functions = [
            function("order", &[("topic", "orders")]),
            function("idle", &[]),
            function("other", &[("topic", "orders"), ("events.broker", "kafka")]),
            function("asked", &[("topic", "orders"), ("events.broker", "nats")]),
            function(
                "door",
                &[
                    ("topic", "orders"),
                    ("events.broker", "nats"),
                    ("events.door", "true"),
                ],
            ),
        ];
        let list = list(&[("upstream_timeout", "7s")], &functions);
        let names: Vec<_> = list
            .wanted
            .iter()
            .map(|w| w.delivery.wiring.function.as_str())
            .collect();
        assert_eq!(names, ["order", "asked"]);
        assert_eq!(list.wanted[0].delivery.timeout.as_secs(), 7);
        assert!(list.wrong.is_empty());
    }

    #[test]
    fn topics_narrow_what_functions_name() {
        let functions = [
            function("both", &[("topic", "orders,payments")]),
            function("one", &[("topic", "payments")]),
        ];
        let list = list(&[("topics", "orders")], &functions);
        assert_eq!(list.wanted.len(), 1);
        assert_eq!(list.wanted[0].delivery.wiring.topics, ["orders"]);
    }

    #[test]
    fn a_function_that_does_not_say_where_to_begin_begins_where_the_connector_does() {
        let functions = [
            function("silent", &[("topic", "orders")]),
            function("says", &[("topic", "orders"), (START, "oldest")]),
        ];
        let list = list(&[("initial_offset", "newest")], &functions);
        let starts = list.wanted.iter().map(|w| w.delivery.wiring.start);
        assert_eq!(starts.collect::<Vec<_>>(), [Start::New, Start::Oldest]);
    }

    #[test]
    fn a_wrong_annotation_shuts_out_its_function_alone() {
        let functions = [
            function("bad", &[("topic", "orders"), ("events.window", "none")]),
            function("good", &[("topic", "orders")]),
        ];
        let list = list(&[], &functions);
        assert_eq!(list.wanted.len(), 1);
        assert_eq!(list.wrong.len(), 1);
        assert!(
            list.wrong[0].starts_with("bad.openfaas-fn gets no events:"),
            "{:?}",
            list.wrong
        );
        assert!(list.wrong[0].contains("events.window"), "{:?}", list.wrong);
    }

    #[test]
    fn replies_and_the_gateways_queue_exclude_each_other() {
        let functions = [function(
            "order",
            &[("topic", "orders"), ("events.reply-topic", "paid")],
        )];
        let list = list(&[("asynchronous_invocation", "true")], &functions);
        assert!(list.wanted.is_empty());
        assert!(list.wrong[0].contains("reply topic"), "{:?}", list.wrong);
    }
}
