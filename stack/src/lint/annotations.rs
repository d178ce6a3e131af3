//! Annotations: misspelt, of a value they cannot have, or of no effect where they stand.

use openfaas_delivery::wiring::{KNOWN, misspelt};

use crate::model::{Entry, Function, Stack};
use crate::problem::Problem;

pub(super) fn check(stack: &Stack) -> Vec<Problem> {
    stack.functions.iter().flat_map(function).collect()
}

fn function(function: &Function) -> Vec<Problem> {
    let mut problems = spelling(function);
    match function.wiring() {
        Ok(Some(_)) => problems.extend(comma(function)),
        Ok(None) => problems.extend(without_topic(function)),
        Err(errors) => problems.extend(errors.into_iter().map(|error| {
            let place = function
                .annotations
                .get(&error.annotation)
                .map(|entry| entry.value.span);
            Problem::error(place.unwrap_or(function.name.span), error.to_string())
        })),
    }
    problems
}

fn spelling(function: &Function) -> Vec<Problem> {
    misspelt(function.annotations.iter().map(|entry| entry.key.as_str()))
        .into_iter()
        .map(|found| {
            let place = function
                .annotations
                .span_of(&found.name, function.name.span);
            let problem = Problem::warning(
                place,
                format!("nothing reads the annotation `{}`", found.name),
            );
            match found.meant {
                Some(meant) => problem.remedy(format!("did you mean `{meant}`?")),
                None => problem.remedy("docs/configuration.md lists the annotations there are"),
            }
        })
        .collect()
}

/// OpenFaaS CE refuses to deploy a function whose `topic` has a comma (faas-netes, pkg/handlers/deploy.go).
fn comma(function: &Function) -> Option<Problem> {
    let topic = function
        .annotations
        .get("topic")
        .filter(|topic| topic.value.contains(','))?;
    let spaced: Vec<&str> = topic
        .value
        .split([',', ' '])
        .filter(|topic| !topic.is_empty())
        .collect();
    let problem = Problem::warning(
        topic.value.span,
        "OpenFaaS CE refuses to deploy a `topic` with a comma",
    );
    Some(problem.remedy(format!(
        "separate them by a space: `topic: {}`",
        spaced.join(" ")
    )))
}

fn without_topic(function: &Function) -> Vec<Problem> {
    let ours = |entry: &&Entry| {
        entry.key.starts_with("events.") && KNOWN.iter().any(|known| entry.key == known.name)
    };
    function
        .annotations
        .iter()
        .filter(ours)
        .map(|entry| {
            let message = format!(
                "`{}` does nothing: function `{}` has no `topic`",
                entry.key, function.name
            );
            Problem::warning(entry.key.span, message)
                .remedy("add the annotation `topic`, or drop this one")
        })
        .collect()
}
