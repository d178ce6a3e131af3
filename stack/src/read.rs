//! From YAML to a [`Stack`]: what is missing, of the wrong kind or unknown, each with its place.

use std::path::{Path, PathBuf};

use crate::error::StackError;
use crate::fields::Reader;
use crate::model::{Configuration, Entries, Function, Provider, Resources, Stack, TemplateSource};
use crate::problem::{Problem, Report, Severity};
use crate::source::Source;
use crate::span::{Span, Spanned};
use crate::yaml::{Node, Value};

/// Reads a file to text.
pub(crate) fn file(path: &Path) -> Result<String, StackError> {
    std::fs::read_to_string(path).map_err(|source| StackError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads a whole stack file; its errors, all of them, where there are any.
pub(crate) fn stack(path: PathBuf, source: Source, root: Node) -> Result<Stack, Vec<Problem>> {
    let mut reader = Reader::default();
    let top = root.span;
    let mut fields = reader.fields(root, "a stack file");
    if let Some(version) = fields.take("version") {
        reader.version(version);
    }
    let provider = fields.take("provider");
    let provider = reader.provider(provider, top);
    let functions = fields.take("functions");
    let functions = functions
        .map(|node| reader.functions(node))
        .unwrap_or_default();
    let configuration = fields.take("configuration");
    let configuration = configuration
        .map(|node| reader.configuration(node))
        .unwrap_or_default();
    reader.finish(fields, "a stack file");
    let (errors, warnings): (Vec<_>, Vec<_>) = reader
        .problems
        .into_iter()
        .partition(|problem| problem.severity == Severity::Error);
    if errors.is_empty() {
        Ok(Stack {
            path,
            provider,
            functions,
            configuration,
            warnings,
            source,
        })
    } else {
        Err(errors.into_iter().chain(warnings).collect())
    }
}

/// Reads a file of `environment_file`.
pub(crate) fn environment_file(path: &Path, text: &str) -> Result<Entries, StackError> {
    let invalid =
        |problems| StackError::Invalid(Report::new(path.to_owned(), text.into(), problems));
    let root = Node::parse(&Source::verbatim(text)).map_err(|problem| invalid(vec![problem]))?;
    let mut reader = Reader::default();
    let mut fields = reader.fields(root, "an environment file");
    let environment = fields
        .take("environment")
        .map(|node| reader.entries(node))
        .unwrap_or_default();
    if reader.problems.is_empty() {
        Ok(environment)
    } else {
        Err(invalid(reader.problems))
    }
}

// === impl Reader ===

impl Reader {
    fn version(&mut self, node: Node) {
        if let Some(version) = self.text(node)
            && version != "1.0"
        {
            self.error(
                version.span,
                format!("version `{version}` is unknown; faas-cli accepts 1.0 alone"),
            );
        }
    }

    fn provider(&mut self, node: Option<Node>, top: Span) -> Provider {
        let Some(node) = node else {
            let problem = Problem::error(
                top,
                "`provider` is missing, and faas-cli refuses a stack file without it",
            );
            self.problems
                .push(problem.remedy("add `provider: {name: openfaas}`"));
            return Provider::default();
        };
        let span = node.span;
        let mut fields = self.fields(node, "`provider`");
        let (name, gateway) = (fields.take("name"), fields.take("gateway"));
        let name = self
            .optional(name)
            .unwrap_or(Spanned::new(String::new(), span));
        if name != "openfaas" {
            self.error(
                name.span,
                format!("provider.name is `{name}`; faas-cli accepts `openfaas` alone"),
            );
        }
        let gateway = self.optional(gateway);
        self.finish(fields, "`provider`");
        Provider { name, gateway }
    }

    fn functions(&mut self, node: Node) -> Vec<Function> {
        let fields = self.fields(node, "`functions`");
        fields
            .entries
            .into_iter()
            .map(|(name, node)| self.function(name, node))
            .collect()
    }

    fn function(&mut self, name: Spanned<String>, node: Node) -> Function {
        if !is_function_name(&name) {
            let message = format!(
                "`{name}` is no name for a function: lower-case letters, digits and inner dashes are"
            );
            self.error(name.span, message);
        }
        let mut fields = self.fields(node, "a function");
        let mut take = |key| fields.take(key);
        let (lang, handler, image) = (take("lang"), take("handler"), take("image"));
        let (fprocess, environment, files) = (
            take("fprocess"),
            take("environment"),
            take("environment_file"),
        );
        let (secrets, constraints, labels) = (take("secrets"), take("constraints"), take("labels"));
        let (annotations, limits, requests) =
            (take("annotations"), take("limits"), take("requests"));
        let (readonly, skip_build, namespace) = (
            take("readonly_root_filesystem"),
            take("skip_build"),
            take("namespace"),
        );
        let (options, args, build_secrets) = (
            take("build_options"),
            take("build_args"),
            take("build_secrets"),
        );
        let platforms = take("platforms");
        let skip_build = self.flag(skip_build);
        let function = Function {
            lang: self.required(lang, &name, "lang", skip_build),
            handler: self.required(handler, &name, "handler", skip_build),
            image: self.required(image, &name, "image", false),
            fprocess: self.optional(fprocess),
            environment: self.optional_entries(environment),
            environment_files: self.list(files),
            secrets: self.list(secrets),
            constraints: self.list(constraints),
            labels: self.optional_entries(labels),
            annotations: self.optional_entries(annotations),
            limits: limits.map(|node| self.resources(node)),
            requests: requests.map(|node| self.resources(node)),
            readonly_root_filesystem: self.flag(readonly),
            skip_build,
            namespace: self.optional(namespace),
            build_options: self.list(options),
            build_args: self.optional_entries(args),
            build_secrets: self.optional_entries(build_secrets),
            platforms: self.optional(platforms),
            name,
        };
        self.finish(fields, "a function");
        function
    }

    fn required(
        &mut self,
        node: Option<Node>,
        name: &Spanned<String>,
        key: &str,
        spare: bool,
    ) -> Spanned<String> {
        if node.is_none() && !spare {
            self.error(name.span, format!("function `{name}` has no `{key}`"));
        }
        self.optional(node)
            .unwrap_or(Spanned::new(String::new(), name.span))
    }

    fn resources(&mut self, node: Node) -> Resources {
        let mut fields = self.fields(node, "`limits` or `requests`");
        let (memory, cpu) = (fields.take("memory"), fields.take("cpu"));
        self.finish(fields, "`limits` or `requests`");
        Resources {
            memory: self.optional(memory),
            cpu: self.optional(cpu),
        }
    }

    fn configuration(&mut self, node: Node) -> Configuration {
        let mut fields = self.fields(node, "`configuration`");
        let (templates, copy) = (fields.take("templates"), fields.take("copy"));
        self.finish(fields, "`configuration`");
        let templates = match templates {
            Some(Node {
                value: Value::Sequence(items),
                ..
            }) => items.into_iter().map(|item| self.template(item)).collect(),
            Some(node) => {
                self.wrong_kind(&node, "a list");
                Vec::new()
            }
            None => Vec::new(),
        };
        Configuration {
            templates,
            copy: self.list(copy),
        }
    }

    fn template(&mut self, node: Node) -> TemplateSource {
        let span = node.span;
        let mut fields = self.fields(node, "a template");
        let (name, source) = (fields.take("name"), fields.take("source"));
        self.finish(fields, "a template");
        let name = self.optional(name).unwrap_or_else(|| {
            self.error(span, "this template has no `name`");
            Spanned::new(String::new(), span)
        });
        TemplateSource {
            name,
            source: self.optional(source),
        }
    }
}

/// What faas-cli and Kubernetes accept: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63.
fn is_function_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
