//! Functions that tread on each other: one image, or one folder that is not meant for two.

use crate::model::{Function, Stack};
use crate::problem::Problem;

pub(super) fn check(stack: &Stack) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, function) in stack.functions.iter().enumerate() {
        let before = &stack.functions[..index];
        if let Some(other) = before.iter().find(|other| same_image(other, function)) {
            let message = format!(
                "`{}` and `{}` have one image, so the last one pushed is both",
                other.name, function.name
            );
            problems.push(
                Problem::warning(function.image.span, message)
                    .remedy("give each an image of its own"),
            );
        }
    }
    problems
}

/// One folder deployed twice under one image is one build, and is meant.
fn same_image(one: &Function, other: &Function) -> bool {
    let folder = |function: &Function| {
        function
            .handler
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned()
    };
    let built = !one.skip_build && !other.skip_build;
    built && one.image == other.image && (folder(one) != folder(other) || one.lang != other.lang)
}
