//! What a `stack.yml` says, as types.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use openfaas_delivery::wiring::{Wiring, WiringError};

use crate::error::StackError;
use crate::problem::{Problem, Report};
use crate::read;
use crate::source::Source;
use crate::span::{Span, Spanned};
use crate::yaml::Node;

/// A `stack.yml`.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The file it was read from.
    pub path: PathBuf,
    /// `provider`: which gateway it is for.
    pub provider: Provider,
    /// `functions`, in the order of the file.
    pub functions: Vec<Function>,
    /// `configuration`: templates and what is copied into every build.
    pub configuration: Configuration,
    /// What was read and is hardly meant so: unknown keys.
    pub warnings: Vec<Problem>,
    pub(crate) source: Source,
}

/// `provider`.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    /// `name`, always `openfaas`.
    pub name: Spanned<String>,
    /// `gateway`, the URL that `faas-cli` talks to.
    pub gateway: Option<Spanned<String>>,
}

/// One entry of `functions`.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its key.
    pub name: Spanned<String>,
    /// `lang`: the folder under `template/` it is built with.
    pub lang: Spanned<String>,
    /// `handler`: its folder, relative to the stack file.
    pub handler: Spanned<String>,
    /// `image`: what is pushed and deployed.
    pub image: Spanned<String>,
    /// `fprocess`; nothing reads it where the function is its own server.
    pub fprocess: Option<Spanned<String>>,
    /// `environment`, without what the files add; [`Stack::environment`] is the whole.
    pub environment: Entries,
    /// `environment_file`: later files win over earlier ones and over `environment`.
    pub environment_files: Vec<Spanned<String>>,
    /// `secrets`, by name.
    pub secrets: Vec<Spanned<String>>,
    /// `constraints`.
    pub constraints: Vec<Spanned<String>>,
    /// `labels`.
    pub labels: Entries,
    /// `annotations`: among them the event wiring.
    pub annotations: Entries,
    /// `limits`.
    pub limits: Option<Resources>,
    /// `requests`.
    pub requests: Option<Resources>,
    /// `readonly_root_filesystem`.
    pub readonly_root_filesystem: bool,
    /// `skip_build`.
    pub skip_build: bool,
    /// `namespace`; absent means the gateway's default.
    pub namespace: Option<Spanned<String>>,
    /// `build_options`.
    pub build_options: Vec<Spanned<String>>,
    /// `build_args`.
    pub build_args: Entries,
    /// `build_secrets`.
    pub build_secrets: Entries,
    /// `platforms`.
    pub platforms: Option<Spanned<String>>,
}

/// `limits` or `requests`.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// `memory`, such as `128Mi`.
    pub memory: Option<Spanned<String>>,
    /// `cpu`, such as `100m`.
    pub cpu: Option<Spanned<String>>,
}

/// `configuration`.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// `templates`: where `faas-cli` pulls them from.
    pub templates: Vec<TemplateSource>,
    /// `copy`: paths copied into the handler folder of every build.
    pub copy: Vec<Spanned<String>>,
}

/// One entry of `configuration.templates`.
#[derive(Clone, Debug, Default)]
pub struct TemplateSource {
    /// `name`: the template.
    pub name: Spanned<String>,
    /// `source`: a git URL or path; absent means the template store.
    pub source: Option<Spanned<String>>,
}

/// A mapping of text to text that keeps order and places.
#[derive(Clone, Debug, Default)]
pub struct Entries(Vec<Entry>);

/// One line of [`Entries`].
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key and its place.
    pub key: Spanned<String>,
    /// The value and its place.
    pub value: Spanned<String>,
}

/// The namespace OpenFaaS deploys into where a function names none.
const DEFAULT_NAMESPACE: &str = "openfaas-fn";

// === impl Stack ===

impl Stack {
    /// The stack file of a folder: `stack.yaml`, else `stack.yml`, as faas-cli looks for it.
    ///
    /// # Errors
    /// [`StackError::Find`] where there is neither.
    pub fn find(dir: &Path) -> Result<PathBuf, StackError> {
        ["stack.yaml", "stack.yml"]
            .into_iter()
            .map(|name| dir.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| StackError::Find {
                dir: dir.to_owned(),
            })
    }

    /// Reads a file, with this process's environment for `${…}`.
    ///
    /// # Errors
    /// [`StackError::Read`] and [`StackError::Invalid`].
    pub fn load(path: &Path) -> Result<Self, StackError> {
        let text = read::file(path)?;
        Self::parse(path, &text, |name| std::env::var(name).ok())
    }

    /// Reads `text` as the file at `path`, with `lookup` for `${…}`.
    ///
    /// # Errors
    /// [`StackError::Invalid`], with every error that the text holds.
    pub fn parse(
        path: impl Into<PathBuf>,
        text: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, StackError> {
        let path = path.into();
        let invalid = |text: &str, problems| {
            StackError::Invalid(Report::new(path.clone(), text.into(), problems))
        };
        let source =
            Source::expand(text, lookup).map_err(|problem| invalid(text, vec![problem]))?;
        let root = Node::parse(&source).map_err(|problem| invalid(text, vec![problem]))?;
        read::stack(path.clone(), source, root).map_err(|problems| invalid(text, problems))
    }

    /// The function of that name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// The folder that relative paths in the file start from.
    pub fn root(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    /// A function's folder.
    pub fn handler_dir(&self, function: &Function) -> PathBuf {
        self.root().join(&function.handler.value)
    }

    /// A function's whole environment: `environment`, then each file of `environment_file` over it.
    ///
    /// # Errors
    /// [`StackError::Read`] and [`StackError::Invalid`], both naming the environment file.
    pub fn environment(&self, function: &Function) -> Result<BTreeMap<String, String>, StackError> {
        let mut environment = function.environment.to_map();
        for file in &function.environment_files {
            let path = self.root().join(&file.value);
            let text = read::file(&path)?;
            environment.extend(read::environment_file(&path, &text)?.to_map());
        }
        Ok(environment)
    }

    /// Problems found in this stack, ready to be shown with its lines.
    pub fn report(&self, problems: Vec<Problem>) -> Report {
        Report::new(self.path.clone(), self.source.original.clone(), problems)
    }
}

// === impl Function ===

impl Function {
    /// How its annotations wire it to topics; `None` where it has no `topic`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn wiring(&self) -> Result<Option<Wiring>, Vec<WiringError>> {
        Wiring::from_annotations(
            &self.name.value,
            self.namespace(),
            &self.annotations.to_map(),
        )
    }

    /// How it consumes by a door of its own, where it does: as its environment says, which is all that the process reads, or
    /// as its annotations say where only `events.door` is set, which the local runner hands on.
    ///
    /// # Errors
    /// Everything that is wrong with its annotations or the variables that stand for them.
    pub fn door(&self) -> Result<Option<Wiring>, Vec<WiringError>> {
        let variable = |name: &str| self.environment.value(name).map(str::to_owned);
        let opened = Wiring::from_lookup(&self.name.value, self.namespace(), variable)?;
        let opened = opened.filter(|door| door.broker.is_some());
        if opened.is_some() {
            return Ok(opened);
        }
        let wiring = self.wiring()?;
        Ok(wiring.filter(|wiring| wiring.door))
    }

    /// Its namespace, or OpenFaaS's default one.
    pub fn namespace(&self) -> &str {
        self.namespace
            .as_ref()
            .map_or(DEFAULT_NAMESPACE, |namespace| namespace.as_str())
    }
}

// === impl Entries ===

impl Entries {
    /// The entry of that key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// The value of that key.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.get(key).map(|entry| entry.value.as_str())
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without the places.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter()
            .map(|Entry { key, value }| (key.value.clone(), value.value.clone()))
            .collect()
    }

    /// Where a key stands, or `otherwise` where it is absent.
    pub fn span_of(&self, key: &str, otherwise: Span) -> Span {
        self.get(key).map_or(otherwise, |entry| entry.key.span)
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
