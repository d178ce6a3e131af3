//! What the stack file says, as the gateway's API would be told it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use openfaas_delivery::wiring::{Wiring, WiringError};
use openfaas_stack::{Function, Resources, Stack, StackError};

use crate::process::{self, Spec};

/// The functions of the stack file: those that can be deployed.
#[derive(Debug)]
pub struct Known {
    /// The stack file.
    pub path: PathBuf,
    /// Its functions by name.
    functions: BTreeMap<String, Spec>,
}

impl Known {
    /// Takes the functions of `stack`.
    ///
    /// # Errors
    /// When an environment file cannot be read.
    pub fn new(stack: &Stack) -> Result<Self, StackError> {
        let spec = |function| Ok((function_name(function), spec(stack, function)?));
        let functions = stack
            .functions
            .iter()
            .map(spec)
            .collect::<Result<_, StackError>>()?;
        Ok(Self {
            path: stack.path.clone(),
            functions,
        })
    }

    /// All functions, by name.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.functions.values()
    }

    /// The function of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Spec> {
        self.functions.get(name)
    }
}

/// How `spec` is wired to topics.
///
/// # Errors
/// Everything that is wrong with its annotations.
pub fn wiring(spec: &Spec) -> Result<Option<Wiring>, Vec<WiringError>> {
    Wiring::from_annotations(&spec.service, &spec.namespace, &spec.annotations)
}

fn function_name(function: &Function) -> String {
    function.name.value.clone()
}

fn spec(stack: &Stack, function: &Function) -> Result<Spec, StackError> {
    let text = |value: &Option<openfaas_stack::Spanned<String>>| {
        value.as_ref().map_or_else(String::new, |v| v.value.clone())
    };
    let resources = |resources: &Resources| process::Resources {
        memory: text(&resources.memory),
        cpu: text(&resources.cpu),
    };
    let texts = |list: &[openfaas_stack::Spanned<String>]| {
        list.iter().map(|item| item.value.clone()).collect()
    };
    Ok(Spec {
        service: function_name(function),
        image: function.image.value.clone(),
        namespace: function.namespace().to_owned(),
        env_process: text(&function.fprocess),
        env_vars: stack.environment(function)?,
        constraints: texts(&function.constraints),
        secrets: texts(&function.secrets),
        labels: function.labels.to_map(),
        annotations: function.annotations.to_map(),
        limits: function.limits.as_ref().map(resources),
        requests: function.requests.as_ref().map(resources),
        read_only_root_filesystem: function.readonly_root_filesystem,
    })
}

/// Reads a stack file. `${…}` in it is one of `variables`, else of this process's environment.
///
/// # Errors
/// It cannot be read, or is no stack file.
pub(crate) fn load(path: &Path, variables: &[(String, String)]) -> Result<Stack, StackError> {
    let read = |source| StackError::Read {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(read)?;
    let given = |name: &str| {
        variables
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.clone())
    };
    Stack::parse(path, &text, |name| {
        given(name).or_else(|| std::env::var(name).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_read_with_all_that_a_deployment_holds() {
        let text = "provider: {name: openfaas}\nfunctions:\n  order:\n    lang: rust-otlp\n    handler: ./order\n    \
            image: order:1\n    environment: {limit: 5}\n    secrets: [key]\n    labels: {com.openfaas.scale.min: 2}\n    \
            annotations: {topic: orders}\n    limits: {memory: 64Mi}\n";
        let stack = Stack::parse("stack.yml", text, |_| None).unwrap();
        let known = Known::new(&stack).unwrap();
        let spec = known.get("order").unwrap();
        assert_eq!(spec.namespace, "openfaas-fn");
        assert_eq!(spec.env_vars["limit"], "5");
        assert_eq!(spec.least_replicas(), 2);
        assert_eq!(spec.limits.as_ref().unwrap().memory, "64Mi");
        assert_eq!(wiring(spec).unwrap().unwrap().topics, ["orders"]);
        assert!(known.get("other").is_none());
    }
}
