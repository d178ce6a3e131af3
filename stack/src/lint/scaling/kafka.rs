//! Triggers of type `kafka` and `apache-kafka`.

use openfaas_delivery::wiring::{Broker, Wiring};

use super::{Known, value};
use crate::manifest::{ScaledObject, Trigger};
use crate::problem::Problem;
use crate::suggest;

pub(super) fn check(known: &Known, object: &ScaledObject, trigger: &Trigger) -> Vec<Problem> {
    [
        persistent(trigger),
        group(known, trigger),
        topic(object, trigger),
        earliest(trigger),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Meant against the marker of a transaction, which takes an offset; it does not change what activates, and what waits for
/// a retry stands still too.
fn persistent(trigger: &Trigger) -> Option<Problem> {
    let exclude = value(trigger, "excludePersistentLag").filter(|value| *value == "true")?;
    let message = "with `excludePersistentLag` events that wait for a retry count as none, and the marker of a transaction still keeps one replica";
    Some(Problem::warning(exclude.span, message).remedy(
        "take it out: our owners commit past the marker; for other groups set `activationLagThreshold` to the number of partitions",
    ))
}

/// A group that nobody commits for has a lag of one per partition, for ever.
fn group(known: &Known, trigger: &Trigger) -> Option<Problem> {
    let group = value(trigger, "consumerGroup")?;
    let groups: Vec<String> = known
        .on(Broker::Kafka)
        .map(|wiring| wiring.group())
        .collect();
    // A connector may put another prefix before it.
    let ends_like =
        |wiring: &Wiring| group.ends_with(&format!(".{}.{}", wiring.namespace, wiring.function));
    if known.on(Broker::Kafka).any(ends_like) {
        return None;
    }
    let message = format!(
        "no function of this stack commits for the group `{group}`, and one without a commit never scales to zero"
    );
    let remedy = match suggest::closest(group, groups.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write the group of a function, `openfaas.<namespace>.<function>`".to_owned(),
    };
    Some(Problem::error(group.span, message).remedy(remedy))
}

/// Without a topic KEDA counts those that the group has commits for: none, before the first start.
fn topic(object: &ScaledObject, trigger: &Trigger) -> Option<Problem> {
    let from_zero = object.min.as_ref().is_none_or(|min| min.value == 0);
    if value(trigger, "topic").is_some() || !from_zero {
        return None;
    }
    let message = "without `topic` only topics count that the group has committed to, so nothing ever starts the first replica";
    Some(
        Problem::error(trigger.kind.span, message)
            .remedy("add one trigger per topic, each with its `topic`"),
    )
}

/// `earliest` counts the log from its beginning, what retention removed included, as long as there is no commit.
fn earliest(trigger: &Trigger) -> Option<Problem> {
    let policy = value(trigger, "offsetResetPolicy").filter(|value| *value == "earliest")?;
    let message = "until the first commit `earliest` counts every event there ever was, removed ones too, and scales to the most at once";
    Some(Problem::warning(policy.span, message).remedy(
        "take it out: where a function begins is said by `events.start`, and one event per partition is enough to start it",
    ))
}
