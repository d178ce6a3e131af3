//! Manifests beside a stack: what its lint rules have to know of KEDA's ScaledObjects, each value with its place.

use std::path::{Path, PathBuf};

use crate::error::StackError;
use crate::fields::{Fields, Reader};
use crate::model::Entries;
use crate::problem::{Problem, Report};
use crate::read;
use crate::source::Source;
use crate::span::{Span, Spanned};
use crate::yaml::{Node, Value};

/// A YAML file with objects of a cluster, of which only ScaledObjects are read.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file.
    pub path: PathBuf,
    /// The ScaledObjects in it, in the order of the file.
    pub scaled: Vec<ScaledObject>,
    source: Source,
}

/// A ScaledObject of KEDA.
#[derive(Clone, Debug)]
pub struct ScaledObject {
    /// `metadata.name`, or the place where it should stand.
    pub name: Spanned<String>,
    /// `metadata.namespace`
    pub namespace: Option<Spanned<String>>,
    /// `spec.scaleTargetRef.name`
    pub target: Spanned<String>,
    /// `spec.minReplicaCount`
    pub min: Option<Spanned<u32>>,
    /// `spec.maxReplicaCount`
    pub max: Option<Spanned<u32>>,
    /// `spec.cooldownPeriod`: where it stands.
    pub cooldown: Option<Span>,
    /// `spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown`
    pub scale_down: Option<ScaleDown>,
    /// `spec.triggers`
    pub triggers: Vec<Trigger>,
}

/// How replicas are taken away.
#[derive(Clone, Debug)]
pub struct ScaleDown {
    /// Where it stands.
    pub span: Span,
    /// Whether `stabilizationWindowSeconds` says something.
    pub has_window: bool,
    /// How many `policies` there are.
    pub policies: usize,
}

/// One of `spec.triggers`.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// `type`
    pub kind: Spanned<String>,
    /// `metadata`
    pub metadata: Entries,
    /// Whether a TriggerAuthentication says more.
    pub is_authenticated: bool,
}

// === impl Manifest ===

impl Manifest {
    /// Reads a file.
    ///
    /// # Errors
    /// [`StackError::Read`] and [`StackError::Invalid`].
    pub fn load(path: &Path) -> Result<Self, StackError> {
        Self::parse(path, &read::file(path)?)
    }

    /// Reads `text` as the file at `path`.
    ///
    /// # Errors
    /// [`StackError::Invalid`], with every error that the text holds.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, StackError> {
        let (path, source) = (path.into(), Source::verbatim(text));
        let invalid =
            |problems| StackError::Invalid(Report::new(path.clone(), text.into(), problems));
        let documents = Node::parse_all(&source).map_err(|problem| invalid(vec![problem]))?;
        let mut reader = Reader::default();
        let scaled: Vec<ScaledObject> = documents
            .into_iter()
            .filter_map(|document| scaled_object(&mut reader, document))
            .collect();
        if reader.problems.is_empty() {
            Ok(Self {
                path,
                scaled,
                source,
            })
        } else {
            Err(invalid(reader.problems))
        }
    }

    /// Problems found in this manifest, ready to be shown with its lines.
    pub fn report(&self, problems: Vec<Problem>) -> Report {
        Report::new(self.path.clone(), self.source.original.clone(), problems)
    }
}

/// A document that is a ScaledObject.
fn scaled_object(reader: &mut Reader, document: Node) -> Option<ScaledObject> {
    if !matches!(document.value, Value::Mapping(_)) {
        return None;
    }
    let span = document.span;
    let mut object = reader.fields(document, "an object");
    let kind = reader.optional(object.take("kind"))?;
    if kind != "ScaledObject" {
        return None;
    }
    let mut metadata = mapping(reader, &mut object, "metadata");
    let mut spec = mapping(reader, &mut object, "spec");
    let mut target = mapping(reader, &mut spec, "scaleTargetRef");
    let mut advanced = mapping(reader, &mut spec, "advanced");
    let mut autoscaler = mapping(reader, &mut advanced, "horizontalPodAutoscalerConfig");
    let mut behavior = mapping(reader, &mut autoscaler, "behavior");
    let nameless = Spanned::new(String::new(), span);
    let mut keys = spec.entries.iter().map(|(key, _)| key);
    let cooldown = keys
        .find(|key| *key == "cooldownPeriod")
        .map(|key| key.span);
    Some(ScaledObject {
        name: reader
            .optional(metadata.take("name"))
            .unwrap_or(nameless.clone()),
        namespace: reader.optional(metadata.take("namespace")),
        target: reader.optional(target.take("name")).unwrap_or(nameless),
        min: count(reader, spec.take("minReplicaCount")),
        max: count(reader, spec.take("maxReplicaCount")),
        cooldown,
        scale_down: behavior
            .take("scaleDown")
            .map(|node| scale_down(reader, node)),
        triggers: triggers(reader, spec.take("triggers")),
    })
}

fn scale_down(reader: &mut Reader, node: Node) -> ScaleDown {
    let span = node.span;
    let mut fields = reader.fields(node, "`scaleDown`");
    ScaleDown {
        span,
        has_window: fields.take("stabilizationWindowSeconds").is_some(),
        policies: items(reader, fields.take("policies")).len(),
    }
}

fn triggers(reader: &mut Reader, node: Option<Node>) -> Vec<Trigger> {
    let items = items(reader, node);
    items
        .into_iter()
        .map(|item| {
            let nameless = Spanned::new(String::new(), item.span);
            let mut fields = reader.fields(item, "a trigger");
            Trigger {
                kind: reader.optional(fields.take("type")).unwrap_or(nameless),
                metadata: reader.optional_entries(fields.take("metadata")),
                is_authenticated: fields.take("authenticationRef").is_some(),
            }
        })
        .collect()
}

fn mapping(reader: &mut Reader, fields: &mut Fields, key: &'static str) -> Fields {
    match fields.take(key) {
        Some(node) => reader.fields(node, &format!("`{key}`")),
        None => Fields::default(),
    }
}

fn items(reader: &mut Reader, node: Option<Node>) -> Vec<Node> {
    match node {
        None => Vec::new(),
        Some(Node {
            value: Value::Sequence(items),
            ..
        }) => items,
        Some(node) => {
            reader.wrong_kind(&node, "a list");
            Vec::new()
        }
    }
}

fn count(reader: &mut Reader, node: Option<Node>) -> Option<Spanned<u32>> {
    let text = reader.optional(node)?;
    match text.parse() {
        Ok(count) => Some(Spanned::new(count, text.span)),
        Err(_) => {
            reader.error(text.span, format!("`{text}` is no count of replicas"));
            None
        }
    }
}
