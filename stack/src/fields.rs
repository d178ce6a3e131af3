//! What any file is read with: mappings whose keys are taken one by one, texts, lists, flags.

use crate::model::{Entries, Entry};
use crate::problem::Problem;
use crate::span::{Span, Spanned};
use crate::suggest;
use crate::yaml::{Node, Value};

/// Collects what is wrong while it reads on.
#[derive(Default)]
pub(crate) struct Reader {
    /// What is wrong so far.
    pub(crate) problems: Vec<Problem>,
}

/// A mapping whose keys are taken one by one; those that are left are unknown.
#[derive(Default)]
pub(crate) struct Fields {
    /// Those that nobody took yet.
    pub(crate) entries: Vec<(Spanned<String>, Node)>,
    known: Vec<&'static str>,
}

// === impl Fields ===

impl Fields {
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        let (_, node) = self.entries.remove(index);
        (!node.is_null()).then_some(node)
    }
}

// === impl Reader ===

impl Reader {
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::error(span, message));
    }

    pub(crate) fn wrong_kind(&mut self, node: &Node, expected: &str) {
        self.error(
            node.span,
            format!("{expected} was expected here, and this is {}", node.kind()),
        );
    }

    pub(crate) fn fields(&mut self, node: Node, what: &str) -> Fields {
        let entries = match node.value {
            Value::Mapping(entries) => entries,
            _ if node.is_null() => Vec::new(),
            _ => {
                self.wrong_kind(&node, &format!("{what}, a mapping,"));
                Vec::new()
            }
        };
        Fields {
            entries,
            known: Vec::new(),
        }
    }

    /// Warns of every key that was not taken. Keys that begin with `x-` are the user's own.
    pub(crate) fn finish(&mut self, fields: Fields, what: &str) {
        for (key, _) in fields
            .entries
            .iter()
            .filter(|(key, _)| !key.starts_with("x-"))
        {
            let problem = Problem::warning(
                key.span,
                format!("{what} has no `{key}`; faas-cli ignores it"),
            );
            self.problems
                .push(match suggest::closest(key, fields.known.iter().copied()) {
                    Some(meant) => problem.remedy(format!("did you mean `{meant}`?")),
                    None => problem,
                });
        }
    }

    pub(crate) fn text(&mut self, node: Node) -> Option<Spanned<String>> {
        match node.value {
            Value::Scalar { text, .. } => Some(Spanned::new(text, node.span)),
            _ => {
                self.wrong_kind(&node, "a text");
                None
            }
        }
    }

    /// A value of a text mapping, where nothing is the empty text.
    pub(crate) fn value(&mut self, node: Node) -> Option<Spanned<String>> {
        if node.is_null() {
            Some(Spanned::new(String::new(), node.span))
        } else {
            self.text(node)
        }
    }

    pub(crate) fn flag(&mut self, node: Option<Node>) -> bool {
        let Some(text) = node.and_then(|node| self.text(node)) else {
            return false;
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => true,
            "false" | "no" | "off" | "n" => false,
            _ => {
                self.error(text.span, format!("`{text}` is neither true nor false"));
                false
            }
        }
    }

    pub(crate) fn optional(&mut self, node: Option<Node>) -> Option<Spanned<String>> {
        node.and_then(|node| self.text(node))
    }

    pub(crate) fn list(&mut self, node: Option<Node>) -> Vec<Spanned<String>> {
        match node {
            None => Vec::new(),
            Some(Node {
                value: Value::Sequence(items),
                ..
            }) => items
                .into_iter()
                .filter_map(|item| self.text(item))
                .collect(),
            Some(node) => {
                self.wrong_kind(&node, "a list");
                Vec::new()
            }
        }
    }

    pub(crate) fn entries(&mut self, node: Node) -> Entries {
        let fields = self.fields(node, "a mapping of names to texts");
        fields
            .entries
            .into_iter()
            .filter_map(|(key, node)| self.value(node).map(|value| Entry { key, value }))
            .collect()
    }

    pub(crate) fn optional_entries(&mut self, node: Option<Node>) -> Entries {
        node.map(|node| self.entries(node)).unwrap_or_default()
    }
}
