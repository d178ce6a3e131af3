//! Triggers of type `nats-jetstream`.

use std::net::IpAddr;

use openfaas_delivery::wiring::{Broker, LAG, lag_query};

use super::{Known, value};
use crate::manifest::{ScaledObject, Trigger};
use crate::problem::Problem;
use crate::suggest;

pub(super) fn check(known: &Known, object: &ScaledObject, trigger: &Trigger) -> Vec<Problem> {
    [
        durable(known, trigger),
        endpoint(trigger),
        account(trigger),
        second_opinion(known, object, trigger),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Since 2.20 KEDA fails where a consumer is missing; before, it took the whole stream for lag.
fn durable(known: &Known, trigger: &Trigger) -> Option<Problem> {
    let consumer = value(trigger, "consumer")?;
    if known.by_durable(consumer).is_some() {
        return None;
    }
    let message = format!(
        "no function of this stack makes the durable `{consumer}`, so KEDA finds no lag to scale by"
    );
    let durables: Vec<String> = known
        .on(Broker::Nats)
        .flat_map(|wiring| wiring.topics.iter().map(|topic| wiring.durable(topic)))
        .collect();
    let remedy = match suggest::closest(consumer, durables.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if durables.is_empty() => "give a function the annotation `topic`".to_owned(),
        None => format!(
            "write one of {}",
            durables
                .iter()
                .map(|durable| format!("`{durable}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    Some(Problem::error(consumer.span, message).remedy(remedy))
}

/// Only the leader of a consumer knows what is pending, and KEDA finds it by asking around.
fn endpoint(trigger: &Trigger) -> Option<Problem> {
    let endpoint = value(trigger, "natsServerMonitoringEndpoint")?;
    if endpoint.contains("://") {
        let message =
            format!("KEDA puts a scheme before `{endpoint}` itself, and then finds no server");
        return Some(
            Problem::error(endpoint.span, message)
                .remedy("write HOST:PORT, and `useHttps: \"true\"` for https"),
        );
    }
    let host = endpoint
        .rsplit_once(':')
        .map_or(endpoint.as_str(), |(host, _)| host);
    let pod = |name: &str| {
        name.rsplit_once('-').is_some_and(|(_, index)| {
            !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let is_pod = host.split('.').next().is_some_and(pod);
    if host.parse::<IpAddr>().is_err() && !is_pod {
        return None;
    }
    let message = format!(
        "`{host}` is one server: one that does not lead the consumer counts wrongly, and when it is away KEDA sees nothing"
    );
    Some(Problem::warning(endpoint.span, message).remedy(
        "write the headless Service of all of them, such as `nats.openfaas.svc:8222`, with a DNS name for each pod",
    ))
}

/// `$G` is the account of a server that has no others; where it has, KEDA sees none of their streams.
fn account(trigger: &Trigger) -> Option<Problem> {
    let named = ["account", "accountID"]
        .into_iter()
        .find_map(|key| value(trigger, key));
    let (place, message) = match named {
        Some(account) if account == "$G" => (
            account.span,
            "`$G` has no streams where NATS is configured with accounts, and KEDA then sees no lag",
        ),
        None if !trigger.is_authenticated => (
            trigger.kind.span,
            "nothing says which account of NATS the stream is in",
        ),
        _ => return None,
    };
    Some(Problem::warning(place, message).remedy(
        "say it once for the cluster: `account` in the ConfigMap `openfaas-nats`, by a TriggerAuthentication; with operator and JWT it is the account's public key",
    ))
}

/// The server's counters forget what reached `max_deliver`, and know nothing of letters that could not be stored.
fn second_opinion(known: &Known, object: &ScaledObject, trigger: &Trigger) -> Option<Problem> {
    let consumer = value(trigger, "consumer")?;
    let (wiring, topic) = known.by_durable(consumer)?;
    let speaks_of = |query: &str| {
        let labels = [&wiring.function, topic].map(|value| format!("\"{value}\""));
        query.contains(LAG) && labels.iter().all(|label| query.contains(label.as_str()))
    };
    let mut queries = object
        .triggers
        .iter()
        .filter_map(|other| value(other, "query"));
    if queries.any(|query| speaks_of(query)) {
        return None;
    }
    let message = format!(
        "only the server's counters say how much of `{topic}` waits for `{}`, and they forget what was given up or cannot be stored",
        wiring.function
    );
    let query = lag_query(Broker::Nats, &wiring.namespace, &wiring.function, topic);
    Some(Problem::warning(trigger.kind.span, message).remedy(format!(
        "add a trigger of type `prometheus` with `query: {query}`"
    )))
}
