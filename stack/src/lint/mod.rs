//! What is probably not meant, though faas-cli would take it.
//!
//! A rule is a function from a stack to problems. It speaks of what the stack says alone; only `files` looks at the disk.

mod annotations;
mod doors;
mod files;
mod labels;
mod same;
mod scaling;
mod topics;

use crate::graph::Graph;
use crate::model::Stack;
use crate::problem::Problem;

pub use scaling::{Cluster, check_scaling};

/// Everything that is wrong with a stack: what reading it warned of, and what the rules say, files included.
pub fn check(stack: &Stack) -> Vec<Problem> {
    let graph = Graph::of(stack);
    let mut problems = stack.warnings.clone();
    problems.extend(annotations::check(stack));
    problems.extend(doors::check(stack));
    problems.extend(labels::check(stack));
    problems.extend(topics::check(stack, &graph));
    problems.extend(same::check(stack));
    problems.extend(files::check(stack));
    problems
}
