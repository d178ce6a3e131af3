//! Topics: replies that nobody consumes, and chains that never end.

use crate::graph::Graph;
use crate::model::Stack;
use crate::problem::Problem;

pub(super) fn check(stack: &Stack, graph: &Graph) -> Vec<Problem> {
    let mut problems = Vec::new();
    for vertex in &graph.functions {
        let (Some(wiring), Some(function)) = (&vertex.wiring, stack.function(&vertex.name)) else {
            continue;
        };
        let place = function
            .annotations
            .get("events.reply-topic")
            .map_or(function.name.span, |entry| entry.value.span);
        for topic in wiring.replies.topics() {
            if graph.consumers(topic).next().is_none() {
                let message = format!("nobody in this stack consumes `{topic}`");
                problems.push(Problem::warning(place, message).remedy(format!(
                    "give a function the annotation `topic: {topic}`, unless somebody outside consumes it"
                )));
            }
        }
    }
    for cycle in graph.cycles() {
        let Some(first) = stack.function(cycle[0]) else {
            continue;
        };
        let place = first
            .annotations
            .get("events.reply-topic")
            .map_or(first.name.span, |entry| entry.value.span);
        let message = format!(
            "an event goes round here for ever: {} → {}",
            cycle.join(" → "),
            cycle[0]
        );
        problems.push(Problem::warning(place, message).remedy(
            "reply to another topic, or let one of them choose with `events.filter`; after `events.max-hops` it is a dead letter",
        ));
    }
    problems
}
