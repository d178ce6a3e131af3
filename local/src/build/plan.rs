//! Which functions of a stack are built, and how.

use std::path::PathBuf;

use openfaas_stack::{Stack, build::Package};
use thiserror::Error;

/// How each function of a stack comes to its program.
#[derive(Debug)]
pub struct Plan {
    /// Those that cargo builds.
    pub packages: Vec<Package>,
    /// Those whose program was named.
    pub given: Vec<(String, PathBuf)>,
    /// The rest, with the reason.
    pub left_out: Vec<(String, NotBuilt)>,
}

/// Why a function is not built.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotBuilt {
    /// It has no handler folder, only an image.
    #[error(
        "has only an image ({0}), and images are not run here: give it a `handler` folder, or start a program of your \
         own with `--binary NAME=PATH`"
    )]
    ImageOnly(String),
    /// Its handler folder is not there.
    #[error("its handler folder {0} is not there")]
    NoFolder(String),
    /// Its handler folder is no Cargo package.
    #[error(
        "{0} holds no Cargo.toml, and only Rust functions are built here: start a program of your own with \
         `--binary NAME=PATH`"
    )]
    NoPackage(String),
}

/// Plans the functions of `stack`; `given` are programs that are there already.
#[must_use]
pub fn plan(stack: &Stack, given: Vec<(String, PathBuf)>) -> Plan {
    let mut functions = Vec::new();
    let mut left_out = Vec::new();
    for function in &stack.functions {
        let name = function.name.as_str();
        if given.iter().any(|(given, _)| given == name) {
            continue;
        }
        let handler = stack.handler_dir(function);
        if function.handler.as_str().is_empty() || function.skip_build {
            left_out.push((
                name.to_owned(),
                NotBuilt::ImageOnly(function.image.value.clone()),
            ));
        } else if handler.join("Cargo.toml").is_file() {
            functions.push((name.to_owned(), handler));
        } else if !handler.is_dir() {
            let folder = function.handler.value.clone();
            left_out.push((name.to_owned(), NotBuilt::NoFolder(folder)));
        } else {
            left_out.push((
                name.to_owned(),
                NotBuilt::NoPackage(function.handler.value.clone()),
            ));
        }
    }
    Plan {
        packages: Package::plan(functions, stack.root()),
        given,
        left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_built_is_left_out_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["order", "script", "given"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("order/Cargo.toml"), "").unwrap();
        let text = "provider: {name: openfaas}\nfunctions:\n  \
            order: {lang: rust-otlp, handler: ./order, image: order}\n  \
            script: {lang: node, handler: ./script, image: script}\n  \
            given: {lang: rust-otlp, handler: ./given, image: given}\n  \
            absent: {lang: rust-otlp, handler: ./absent, image: absent}\n  \
            figlet: {skip_build: true, image: figlet}\n";
        let stack = Stack::parse(folder.path().join("stack.yml"), text, |_| None).unwrap();
        let plan = plan(&stack, vec![("given".into(), "/bin/true".into())]);
        let built: Vec<_> = plan
            .packages
            .iter()
            .map(|package| package.name.as_str())
            .collect();
        assert_eq!(built, ["order"]);
        let left_out: Vec<_> = plan
            .left_out
            .iter()
            .map(|(name, why)| (name.as_str(), why))
            .collect();
        assert_eq!(
            left_out,
            [
                ("script", &NotBuilt::NoPackage("./script".into())),
                ("absent", &NotBuilt::NoFolder("./absent".into())),
                ("figlet", &NotBuilt::ImageOnly("figlet".into())),
            ]
        );
    }
}
