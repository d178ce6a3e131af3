//! Doors: a process reads its environment, a connector the annotations, and the two may not say the same.

use openfaas_delivery::wiring::{KNOWN, environment_name};

use crate::model::{Entry, Function, Stack};
use crate::problem::Problem;

const DOOR: &str = "events.door";

pub(super) fn check(stack: &Stack) -> Vec<Problem> {
    stack.functions.iter().flat_map(function).collect()
}

fn function(function: &Function) -> Vec<Problem> {
    let (Ok(wiring), Ok(Some(door))) = (function.wiring(), function.door()) else {
        return Vec::new();
    };
    let opened = ["events.broker", "topic"].map(environment_name);
    if opened
        .iter()
        .any(|name| function.environment.value(name).is_none())
    {
        return closed(function, &door.topics).into_iter().collect();
    }
    let twice = wiring.filter(|wiring| !wiring.door).map(|_| {
        let message = format!(
            "a connector delivers to `{}` too, which takes its events from the broker itself",
            function.name
        );
        Problem::warning(
            function.annotations.span_of("topic", function.name.span),
            message,
        )
        .remedy(format!(
            "add the annotations `{DOOR}: \"true\"` and `events.broker`, as in its environment"
        ))
    });
    let unread = function
        .annotations
        .iter()
        .filter_map(|annotation| unread(function, annotation));
    twice.into_iter().chain(unread).collect()
}

/// Connectors stay away, and the function does not know that it is to take anything.
fn closed(function: &Function, topics: &[String]) -> Option<Problem> {
    let entry = function.annotations.get(DOOR)?;
    let broker = function
        .annotations
        .value("events.broker")
        .unwrap_or("nats");
    let message = format!(
        "`{DOOR}` keeps connectors away, and nothing on a cluster tells `{}` to take its events itself",
        function.name
    );
    Some(Problem::warning(entry.key.span, message).remedy(format!(
        "under `environment` write `events_broker: {broker}` and `events_topic: {}`; openfaas-local sets them itself",
        topics.join(" ")
    )))
}

/// An annotation that the door does not know of, because no variable says it, or another value.
fn unread(function: &Function, annotation: &Entry) -> Option<Problem> {
    let known = KNOWN
        .iter()
        .find(|known| annotation.key == known.name && known.name != DOOR)?;
    let variable = environment_name(known.name);
    if function.environment.value(&variable) == Some(annotation.value.as_str()) {
        return None;
    }
    let message = format!(
        "a door reads `{variable}`, and here only the annotation is `{}`",
        annotation.value
    );
    Some(
        Problem::warning(annotation.value.span, message).remedy(format!(
            "under `environment` write `{variable}: {}`",
            annotation.value
        )),
    )
}
