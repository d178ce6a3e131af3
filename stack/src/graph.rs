//! Who feeds whom: the functions of a stack, their topics and the edges between them.

use std::collections::BTreeSet;

use openfaas_delivery::wiring::{Wiring, covers};

use crate::model::Stack;

/// The functions of a stack and how events pass between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Every function, in the order of the file.
    pub functions: Vec<Vertex>,
    /// Every topic that is named, patterns included, by name.
    pub topics: BTreeSet<String>,
    /// From topics to functions and from functions to topics, in the order of the file.
    pub edges: Vec<Edge>,
}

/// One function of a [`Graph`].
#[derive(Clone, Debug, PartialEq)]
pub struct Vertex {
    /// Its name.
    pub name: String,
    /// How it is wired; `None` where it consumes nothing.
    pub wiring: Option<Wiring>,
}

/// One arrow of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A topic feeds a function.
    Consumes {
        /// The topic or pattern.
        topic: String,
        /// The function.
        function: String,
        /// Which of its events, as `events.filter` says it.
        filter: Option<String>,
    },
    /// A function's replies go to a topic.
    Replies {
        /// The function.
        function: String,
        /// The topic.
        topic: String,
        /// Replies of this type alone.
        ty: Option<String>,
    },
    /// A function's dead letters go to a topic.
    DeadLetters {
        /// The function.
        function: String,
        /// The topic.
        topic: String,
    },
}

impl Graph {
    /// The graph of a stack. A function whose annotations are wrong counts as one that consumes nothing.
    pub fn of(stack: &Stack) -> Self {
        let functions = stack.functions.iter().map(|function| Vertex {
            name: function.name.value.clone(),
            wiring: function.wiring().unwrap_or_default(),
        });
        Self::from_functions(functions.collect())
    }

    fn from_functions(functions: Vec<Vertex>) -> Self {
        let mut edges = Vec::new();
        for Vertex { name, wiring } in &functions {
            let Some(wiring) = wiring else { continue };
            let filter = wiring.filter.as_ref().map(ToString::to_string);
            edges.extend(wiring.topics.iter().map(|topic| Edge::Consumes {
                topic: topic.clone(),
                function: name.clone(),
                filter: filter.clone(),
            }));
            edges.extend(wiring.replies.iter().map(|reply| Edge::Replies {
                function: name.clone(),
                topic: reply.topic.clone(),
                ty: reply.ty.clone(),
            }));
            edges.push(Edge::DeadLetters {
                function: name.clone(),
                topic: wiring.dead_letters.clone(),
            });
        }
        let topics = edges.iter().map(|edge| edge.topic().to_owned()).collect();
        Self {
            functions,
            topics,
            edges,
        }
    }

    /// The functions that consume what is published to `topic`.
    pub fn consumers<'g>(&'g self, topic: &'g str) -> impl Iterator<Item = &'g Vertex> {
        self.wired()
            .filter(move |(_, wiring)| wiring.topics.iter().any(|pattern| covers(pattern, topic)))
            .map(|(vertex, _)| vertex)
    }

    /// The functions whose replies go to `topic`, or to one that it covers.
    pub fn producers<'g>(&'g self, topic: &'g str) -> impl Iterator<Item = &'g Vertex> {
        self.wired()
            .filter(move |(_, wiring)| {
                wiring
                    .replies
                    .topics()
                    .iter()
                    .any(|reply| covers(topic, reply))
            })
            .map(|(vertex, _)| vertex)
    }

    /// Topics that are consumed and that no function of the stack replies to: where a chain begins.
    pub fn entries(&self) -> Vec<&str> {
        let consumed = self.edges.iter().filter_map(|edge| match edge {
            Edge::Consumes { topic, .. } => Some(topic.as_str()),
            _ => None,
        });
        let begun: BTreeSet<&str> = consumed
            .filter(|topic| self.producers(topic).next().is_none())
            .collect();
        begun.into_iter().collect()
    }

    /// Chains that lead back to where they began, each once, as names of functions. Functions with a filter are left
    /// out: whether an event passes one is not to be seen from here.
    pub fn cycles(&self) -> Vec<Vec<&str>> {
        let mut cycles = Vec::new();
        for start in 0..self.functions.len() {
            self.walk(start, &mut vec![start], &mut cycles);
        }
        cycles
    }

    /// Extends a path by functions after `path[0]`, so that each cycle is found from its first function alone.
    fn walk<'g>(&'g self, start: usize, path: &mut Vec<usize>, cycles: &mut Vec<Vec<&'g str>>) {
        let last = path[path.len() - 1];
        for next in self.successors(last) {
            if next == start {
                cycles.push(
                    path.iter()
                        .map(|index| self.functions[*index].name.as_str())
                        .collect(),
                );
            } else if next > start && !path.contains(&next) && cycles.len() < MAX_CYCLES {
                path.push(next);
                self.walk(start, path, cycles);
                path.pop();
            }
        }
    }

    fn successors(&self, index: usize) -> Vec<usize> {
        let Some(wiring) = &self.functions[index].wiring else {
            return Vec::new();
        };
        let replies = wiring.replies.topics();
        let fed = |vertex: &Vertex| {
            vertex.wiring.as_ref().is_some_and(|consumer| {
                consumer.filter.is_none()
                    && consumer
                        .topics
                        .iter()
                        .any(|pattern| replies.iter().any(|reply| covers(pattern, reply)))
            })
        };
        (0..self.functions.len())
            .filter(|other| fed(&self.functions[*other]))
            .collect()
    }

    fn wired(&self) -> impl Iterator<Item = (&Vertex, &Wiring)> {
        self.functions
            .iter()
            .filter_map(|vertex| vertex.wiring.as_ref().map(|wiring| (vertex, wiring)))
    }
}

/// How many cycles are told of; where there are more, these are plenty.
const MAX_CYCLES: usize = 16;

impl Edge {
    /// The topic at one of its ends.
    pub fn topic(&self) -> &str {
        match self {
            Self::Consumes { topic, .. }
            | Self::Replies { topic, .. }
            | Self::DeadLetters { topic, .. } => topic,
        }
    }

    /// The function at the other.
    pub fn function(&self) -> &str {
        match self {
            Self::Consumes { function, .. }
            | Self::Replies { function, .. }
            | Self::DeadLetters { function, .. } => function,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Functions as `name: topics -> reply topics`.
    fn graph(functions: &[(&str, &str, &str)]) -> Graph {
        let vertex = |(name, topic, reply): &(&str, &str, &str)| {
            let annotations = [("topic", *topic), ("events.reply-topic", *reply)];
            let annotations = annotations
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect();
            let wiring = Wiring::from_annotations(name, "openfaas-fn", &annotations).unwrap();
            Vertex {
                name: name.to_string(),
                wiring,
            }
        };
        Graph::from_functions(functions.iter().map(vertex).collect())
    }

    fn names<'a>(vertices: impl Iterator<Item = &'a Vertex>) -> Vec<&'a str> {
        vertices.map(|vertex| vertex.name.as_str()).collect()
    }

    #[test]
    fn a_chain_has_an_entry_consumers_and_producers() {
        let graph = graph(&[
            ("order", "orders", "payments"),
            (
                "payment",
                "payments",
                "payment.accepted=shipments, payment.declined=declined",
            ),
            ("shipment", "shipments", ""),
            ("audit", "shipments declined", ""),
            ("plain", "", ""),
        ]);
        assert_eq!(graph.entries(), ["orders"]);
        assert_eq!(names(graph.consumers("shipments")), ["shipment", "audit"]);
        assert_eq!(names(graph.producers("declined")), ["payment"]);
        assert!(graph.cycles().is_empty());
        assert!(graph.topics.contains("dead-letter.openfaas-fn.order"));
    }

    #[test]
    fn patterns_join_functions_too() {
        let graph = graph(&[("eu", "in", "orders.eu"), ("all", "orders.*", "")]);
        assert_eq!(names(graph.consumers("orders.eu")), ["all"]);
        assert_eq!(graph.entries(), ["in"]);
    }

    #[test]
    fn a_cycle_is_found_once_from_its_first_function() {
        let graph = graph(&[
            ("a", "one", "two"),
            ("b", "two", "three"),
            ("c", "three", "one"),
            ("d", "four", "four"),
        ]);
        assert_eq!(graph.cycles(), [vec!["a", "b", "c"], vec!["d"]]);
    }
}
