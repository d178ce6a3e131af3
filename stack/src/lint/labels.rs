//! Labels: OpenFaaS's own scaling beside events, and what stands among labels and belongs to annotations or back.

use openfaas_delivery::wiring::KNOWN;

use crate::model::{Entry, Function, Stack};
use crate::problem::Problem;

const SCALE: &str = "com.openfaas.scale.";

pub(super) fn check(stack: &Stack) -> Vec<Problem> {
    stack
        .functions
        .iter()
        .flat_map(|function| misplaced(function).into_iter().chain(scaling(function)))
        .collect()
}

fn misplaced(function: &Function) -> Vec<Problem> {
    let labels = function
        .labels
        .iter()
        .filter(|entry| KNOWN.iter().any(|known| entry.key == known.name));
    let labels = labels.map(|entry| {
        Problem::warning(
            entry.key.span,
            format!(
                "`{}` is a label here, and only the annotation is read",
                entry.key
            ),
        )
        .remedy("move it under `annotations`")
    });
    let annotations = function
        .annotations
        .iter()
        .filter(|entry| entry.key.starts_with(SCALE));
    let annotations = annotations.map(|entry| {
        Problem::warning(
            entry.key.span,
            format!(
                "`{}` is an annotation here, and only the label is read",
                entry.key
            ),
        )
        .remedy("move it under `labels`")
    });
    labels.chain(annotations).collect()
}

fn scaling(function: &Function) -> Vec<Problem> {
    let consumes = function.annotations.get("topic").is_some();
    function
        .labels
        .iter()
        .filter_map(|label| scale_label(label, consumes))
        .collect()
}

/// What is known of `com.openfaas.scale.*`: faas-netes (pkg/handlers/{deploy,update,validate}.go) and the gateway's
/// plugin/external.go.
fn scale_label(label: &Entry, consumes: bool) -> Option<Problem> {
    let key = &label.key;
    let (message, remedy) = match (key.strip_prefix(SCALE)?, label.value.as_str()) {
        ("factor", "0") => (
            format!(
                "`{key}` of 0 makes a gateway with scale_from_zero answer every call 404, so events wait for ever"
            ),
            "take it out; who must not be scaled by OpenFaaS needs AlertManager switched off",
        ),
        ("min" | "max", count) if count.parse::<u32>().is_ok_and(|count| count > 5) => (
            format!("`{key}` is {count}, and OpenFaaS CE refuses more than 5 replicas"),
            "on CE write 5 or less",
        ),
        ("min", _) if consumes => (
            format!(
                "every deploy sets the replicas back to `{key}`, whatever KEDA has made of them"
            ),
            "where KEDA scales the function take it out: the minimum stands in the ScaledObject",
        ),
        ("zero", "true") if consumes => (
            format!("`{key}` counts calls through the gateway alone; OpenFaaS CE refuses it"),
            "let KEDA scale the function to zero, by the lag of its topic",
        ),
        ("zero", "false") => return None,
        ("type" | "target" | "zero" | "zero-duration", _) => (
            format!("OpenFaaS CE refuses to deploy a function with the label `{key}`"),
            "take it out for CE",
        ),
        _ => return None,
    };
    Some(Problem::warning(key.span, message).remedy(remedy))
}
