//! How many replicas, and how they are taken away.

use openfaas_delivery::wiring::{Broker, Order};

use super::{Cluster, Known};
use crate::manifest::ScaledObject;
use crate::problem::Problem;

/// The most that OpenFaaS CE leaves a function (faas-netes, pkg/handlers/replica_reader.go).
const CE_MOST: u32 = 5;

/// What KEDA takes where nothing is said.
const DEFAULT_MAX: u32 = 100;

pub(super) fn check(known: &Known, object: &ScaledObject) -> Vec<Problem> {
    let mut problems = Vec::new();
    if known.cluster == Cluster::Ce && known.door(object).is_some() {
        problems.extend(ce(object));
    }
    problems.extend(ordered(known, object));
    let scales_consumers = object.triggers.iter().any(|trigger| {
        ["nats-jetstream", "kafka", "apache-kafka"].contains(&trigger.kind.as_str())
    });
    if scales_consumers && object.max.as_ref().is_none_or(|max| max.value > 1) {
        problems.extend(slowly(object));
        problems.extend(window(object));
    }
    problems
}

/// OpenFaaS CE changes the replicas of a function's Deployment behind KEDA's back (faas-netes, pkg/handlers/informers.go).
fn ce(object: &ScaledObject) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (min, max) = (object.min.as_ref(), object.max.as_ref());
    if min.is_none_or(|min| min.value == 0) {
        let message = format!(
            "OpenFaaS CE sets `{}` back to 1 replica whenever KEDA takes it to 0",
            object.target
        );
        problems.push(
            Problem::error(min.map_or(object.target.span, |min| min.span), message).remedy(
                "write `minReplicaCount: 1`, or render with `--profile plain` for another OpenFaaS",
            ),
        );
    }
    if max.is_none_or(|max| max.value > CE_MOST) {
        let most = max.map_or(DEFAULT_MAX, |max| max.value);
        let message = format!(
            "OpenFaaS CE sets `{}` back to {CE_MOST} replicas whenever KEDA makes them up to {most}",
            object.target
        );
        problems.push(
            Problem::error(max.map_or(object.target.span, |max| max.span), message)
                .remedy(format!("write `maxReplicaCount: {CE_MOST}` or less")),
        );
    }
    problems
}

fn ordered(known: &Known, object: &ScaledObject) -> Option<Problem> {
    let door = known.door(object)?;
    let most = object.max.as_ref().map_or(DEFAULT_MAX, |max| max.value);
    if door.broker != Some(Broker::Nats) || door.order != Order::Key || most <= 2 {
        return None;
    }
    let place = object
        .max
        .as_ref()
        .map_or(object.target.span, |max| max.span);
    let message = format!(
        "of up to {most} replicas of `{}` one works: on NATS an ordered durable has one owner",
        object.target
    );
    Some(Problem::warning(place, message).remedy(
        "write `maxReplicaCount: 2`, so that one stands by; or let all take part with `events.order: none`",
    ))
}

/// Every replica that goes hands back what it holds, and a group shares its partitions anew.
fn slowly(object: &ScaledObject) -> Option<Problem> {
    if object
        .scale_down
        .as_ref()
        .is_some_and(|scale_down| scale_down.policies > 0)
    {
        return None;
    }
    let place = object
        .scale_down
        .as_ref()
        .map_or(object.target.span, |scale_down| scale_down.span);
    let message = format!(
        "nothing says how slowly replicas of `{}` are taken away, so many that are busy may go at once",
        object.target
    );
    Some(Problem::warning(place, message).remedy(
        "under `advanced.horizontalPodAutoscalerConfig.behavior.scaleDown` write `policies: [{type: Pods, value: 1, periodSeconds: 60}]`",
    ))
}

/// `cooldownPeriod` is for the last replica alone.
fn window(object: &ScaledObject) -> Option<Problem> {
    if object
        .scale_down
        .as_ref()
        .is_some_and(|scale_down| scale_down.has_window)
    {
        return None;
    }
    let place = object
        .cooldown
        .or(object.scale_down.as_ref().map(|scale_down| scale_down.span));
    let message = "`cooldownPeriod` is about the last replica alone, and nothing says how long all others stay";
    Some(Problem::warning(place.unwrap_or(object.target.span), message).remedy(
        "under `advanced.horizontalPodAutoscalerConfig.behavior.scaleDown` write `stabilizationWindowSeconds: 300`",
    ))
}
