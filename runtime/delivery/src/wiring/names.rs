//! Names that brokers and dashboards keep: change none of them, or what is settled is forgotten.

use super::Broker;
use crate::ids::short_hash;

/// The dead-letter topic of a function that names none.
pub fn dead_letter_topic(namespace: &str, function: &str) -> String {
    format!("dead-letter.{namespace}.{function}")
}

/// What stands before every Kafka consumer group, unless somebody says otherwise.
pub const GROUP_PREFIX: &str = "openfaas";

/// The Kafka consumer group of a function, one for all its topics.
pub fn group(namespace: &str, function: &str) -> String {
    group_of(GROUP_PREFIX, namespace, function)
}

/// The same with another prefix, so that two connectors can each deliver to the same function.
pub fn group_of(prefix: &str, namespace: &str, function: &str) -> String {
    format!("{prefix}.{namespace}.{function}")
}

/// The metric of what is not settled yet, dead letters that could not be stored included.
pub const LAG: &str = "openfaas_delivery_lag_messages";

/// What Prometheus is asked for the [`LAG`] of a function on a topic: on NATS each owner tells of the whole durable, on Kafka
/// of its own partitions.
pub fn lag_query(broker: Broker, namespace: &str, function: &str, topic: &str) -> String {
    let over_owners = match broker {
        Broker::Nats => "max",
        Broker::Kafka => "sum",
    };
    let [namespace, function, topic] =
        [namespace, function, topic].map(|text| text.replace('\\', "\\\\").replace('"', "\\\""));
    format!(
        "{over_owners}({LAG}{{function=\"{function}\",function_namespace=\"{namespace}\",topic=\"{topic}\"}})"
    )
}

/// The stream that a subject is looked for in where nothing says another: `ORDERS` for `orders`.
///
/// Streams are the user's, so this is what commands of ours propose and manifests name until told otherwise.
pub fn stream(subject: &str) -> String {
    if subject.starts_with("dead-letter.") {
        return "DEAD-LETTERS".to_owned();
    }
    let legal = |c: char| match c {
        'A'..='Z' | '0'..='9' | '-' | '_' => c,
        'a'..='z' => c.to_ascii_uppercase(),
        _ => '_',
    };
    let name: String = subject.chars().map(legal).collect();
    match name.trim_end_matches('_') {
        "" => "EVENTS".to_owned(),
        name => name.to_owned(),
    }
}

/// The longest durable; the server takes 255 bytes, some of which its own file names need.
const LONGEST: usize = 200;

/// The NATS durable of a function on a topic: `<namespace>_<function>_<topic>`.
///
/// What a durable must not hold (all but letters, digits, `-` and `_`) becomes `-`. Where that, a cut to 200 bytes, an
/// underscore in the first two parts, or an ending that looks like a hash could make two functions or topics share one
/// name, `-` and eight digits of the hash of the three parts follow.
pub fn durable(namespace: &str, function: &str, topic: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain = format!("{namespace}_{function}_{topic}");
    let ambiguous = namespace.contains('_') || function.contains('_') || looks_hashed(&plain);
    if !ambiguous && plain.len() <= LONGEST && plain.chars().all(legal) {
        return plain;
    }
    let mut name: String = plain
        .chars()
        .map(|c| if legal(c) { c } else { '-' })
        .collect();
    name.truncate(LONGEST - 9);
    let hash = short_hash([namespace, function, topic].map(str::as_bytes));
    format!("{name}-{hash}")
}

/// The namespace and function that a durable on this topic has its name from; `None` where it is not made as
/// [`durable`] makes them.
pub fn owner_of_durable<'a>(name: &'a str, topic: &str) -> Option<(&'a str, &'a str)> {
    let places = || name.match_indices('_').map(|(at, _)| at);
    let pairs = places().flat_map(|first| {
        let others = places().filter(move |second| *second > first);
        others.map(move |second| (&name[..first], &name[first + 1..second]))
    });
    let mut made =
        pairs.filter(|(namespace, function)| durable(namespace, function, topic) == name);
    made.next()
}

/// The namespace and function that a group with this prefix has its name from; `None` where it is not made as
/// [`group_of`] makes them.
pub fn owner_of_group<'a>(prefix: &str, name: &'a str) -> Option<(&'a str, &'a str)> {
    let owner = name.strip_prefix(prefix)?.strip_prefix('.')?;
    let (namespace, function) = owner.split_once('.')?;
    let whole = !function.is_empty() && !function.contains('.');
    whole.then_some((namespace, function))
}

fn looks_hashed(name: &str) -> bool {
    let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    name.rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == 8 && end.chars().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_are_what_brokers_keep() {
        assert_eq!(group("openfaas-fn", "order"), "openfaas.openfaas-fn.order");
        assert_eq!(
            group_of("eu", "openfaas-fn", "order"),
            "eu.openfaas-fn.order"
        );
        assert_eq!(
            dead_letter_topic("openfaas-fn", "order"),
            "dead-letter.openfaas-fn.order"
        );
        for (topic, name) in [
            ("orders", "openfaas-fn_order_orders"),
            ("orders_new", "openfaas-fn_order_orders_new"),
            ("orders.new", "openfaas-fn_order_orders-new-60e3b599"),
            ("orders.*", "openfaas-fn_order_orders---61acd715"),
            ("orders.>", "openfaas-fn_order_orders---64a17469"),
        ] {
            assert_eq!(durable("openfaas-fn", "order", topic), name);
        }
    }

    #[test]
    fn a_query_is_one_number_whatever_the_topic_is_called() {
        assert_eq!(
            lag_query(Broker::Kafka, "openfaas-fn", "order", "orders"),
            r#"sum(openfaas_delivery_lag_messages{function="order",function_namespace="openfaas-fn",topic="orders"})"#
        );
        assert_eq!(
            lag_query(Broker::Nats, "fn", "order", r#"a"b\c"#),
            r#"max(openfaas_delivery_lag_messages{function="order",function_namespace="fn",topic="a\"b\\c"})"#
        );
    }

    #[test]
    fn a_stream_is_proposed_for_each_subject() {
        for (subject, name) in [
            ("orders", "ORDERS"),
            ("orders.eu-1", "ORDERS_EU-1"),
            ("orders.>", "ORDERS"),
            (">", "EVENTS"),
            ("dead-letter.openfaas-fn.order", "DEAD-LETTERS"),
        ] {
            assert_eq!(stream(subject), name);
        }
    }

    #[test]
    fn parts_never_run_together() {
        assert_ne!(durable("ns", "a_b", "c"), durable("ns", "a", "b_c"));
        assert_ne!(
            durable("ns", "a", "orders.new"),
            durable("ns", "a", "orders-new")
        );
        let hashed = durable("ns", "a", "orders.new");
        let copy = hashed.strip_prefix("ns_a_").unwrap();
        assert_ne!(durable("ns", "a", copy), hashed);
    }

    #[test]
    fn a_long_topic_is_cut_and_still_its_own() {
        let (one, other) = ("x".repeat(240), format!("{}y", "x".repeat(239)));
        assert_eq!(durable("ns", "a", &one).len(), LONGEST);
        assert_ne!(durable("ns", "a", &one), durable("ns", "a", &other));
    }

    #[test]
    fn a_name_leads_back_to_its_function_and_no_other_name_does() {
        for (topic, function) in [
            ("orders", "order"),
            ("orders_new", "order"),
            ("orders.new", "order"),
            ("orders.>", "order"),
            ("a_b.c_d", "or_der"),
            ("x_y", "deadbeef-12345678"),
            (&*"x.".repeat(120), "order"),
        ] {
            let name = durable("openfaas-fn", function, topic);
            let owner = Some(("openfaas-fn", function));
            assert_eq!(owner_of_durable(&name, topic), owner, "{name}");
            assert_eq!(owner_of_durable(&name, "payments"), None, "{name}");
        }
        for foreign in [
            "",
            "orders",
            "my_worker",
            "openfaas-fn_order_orders-12345678",
            "__",
        ] {
            assert_eq!(owner_of_durable(foreign, "orders"), None, "{foreign}");
        }
        for (name, owner) in [
            ("openfaas.openfaas-fn.order", Some(("openfaas-fn", "order"))),
            ("openfaas..order", Some(("", "order"))),
            ("openfaas.order", None),
            ("openfaas.openfaas-fn.order.more", None),
            ("openfaas.openfaas-fn.", None),
            ("openfaasx.openfaas-fn.order", None),
            ("eu.openfaas-fn.order", None),
        ] {
            assert_eq!(owner_of_group("openfaas", name), owner, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_two_subscriptions_share_a_durable(
            triples in prop::collection::vec(("[a-b_]{1,3}", "[a-b_-]{1,3}", "[a-b_.*>-]{1,6}"), 1..20),
        ) {
            let mut owners = BTreeMap::new();
            for triple in triples {
                let name = durable(&triple.0, &triple.1, &triple.2);
                prop_assert!(name.len() <= LONGEST);
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
                let owner = owners.entry(name).or_insert_with(|| triple.clone());
                prop_assert_eq!(&*owner, &triple);
            }
        }

        #[test]
        fn any_text_makes_a_legal_durable(namespace in "\\PC{1,20}", function in "\\PC{1,20}", topic in "\\PC{1,220}") {
            let name = durable(&namespace, &function, &topic);
            prop_assert!(name.len() <= LONGEST);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        }
    }
}
