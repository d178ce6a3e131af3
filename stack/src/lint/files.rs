//! Files that a stack names and that are not there.

use std::path::{Component, Path};

use crate::model::{Function, Stack};
use crate::problem::Problem;
use crate::span::Spanned;

pub(super) fn check(stack: &Stack) -> Vec<Problem> {
    let copied = stack
        .configuration
        .copy
        .iter()
        .filter_map(|path| copy(stack, path));
    stack
        .functions
        .iter()
        .flat_map(|function| function_files(stack, function))
        .chain(copied)
        .collect()
}

fn function_files(stack: &Stack, function: &Function) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !function.skip_build && !stack.handler_dir(function).is_dir() {
        let Function {
            name,
            lang,
            handler,
            ..
        } = function;
        let file = stack.path.file_name().unwrap_or_default().to_string_lossy();
        problems.push(
            Problem::error(handler.span, format!("`{handler}`, the folder of function `{name}`, is not there")).remedy(
                format!("write its path, or make it: take `{name}` out of here and `faas-cli new {name} --lang {lang} --append {file}`"),
            ),
        );
    }
    for file in &function.environment_files {
        if !stack.root().join(file.as_str()).is_file() {
            problems.push(Problem::error(
                file.span,
                format!("the environment file `{file}` is not there"),
            ));
        }
    }
    problems
}

/// faas-cli copies from below the folder it runs in, and from nowhere else.
fn copy(stack: &Stack, path: &Spanned<String>) -> Option<Problem> {
    let outside = |component| matches!(component, Component::ParentDir | Component::RootDir);
    if Path::new(path.as_str()).components().any(outside) {
        return Some(Problem::error(
            path.span,
            format!("`{path}` leads out of this folder, and faas-cli refuses that"),
        ));
    }
    let there = stack.root().join(path.as_str()).exists();
    (!there).then(|| {
        Problem::error(
            path.span,
            format!("`{path}`, to be copied into every build, is not there"),
        )
    })
}
