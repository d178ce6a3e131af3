//! YAML as a tree in which every node knows its place and every scalar its own text.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::problem::Problem;
use crate::source::Source;
use crate::span::{Span, Spanned};

/// One node of a document.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its place: a scalar's own, a collection's start.
    pub(crate) span: Span,
    /// What it holds.
    pub(crate) value: Value,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Text. One that is not quoted may also be read as a number, a boolean or nothing.
    Scalar {
        /// The text, as it stands.
        text: String,
        /// Not quoted and no block.
        plain: bool,
    },
    /// `[…]`
    Sequence(Vec<Node>),
    /// `{…}`, merge keys (`<<`) applied.
    Mapping(Vec<(Spanned<String>, Node)>),
}

/// How many nodes a document may have once aliases are followed.
const MAX_NODES: usize = 100_000;

/// How deep a document may be.
const MAX_DEPTH: usize = 64;

struct Composer<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: &'a Source,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

// === impl Node ===

impl Node {
    /// The first document of a source; an empty one is an empty scalar.
    pub(crate) fn parse(source: &Source) -> Result<Self, Problem> {
        let mut composer = Composer::new(source);
        Ok(composer.document()?.unwrap_or(Self {
            span: source.span(0, 1),
            value: Value::Scalar {
                text: String::new(),
                plain: true,
            },
        }))
    }

    /// Every document of a source, those between two `---` that are empty left out.
    pub(crate) fn parse_all(source: &Source) -> Result<Vec<Self>, Problem> {
        let mut composer = Composer::new(source);
        let mut documents = Vec::new();
        while let Some(document) = composer.document()? {
            documents.push(document);
            composer.anchors.clear();
        }
        Ok(documents)
    }

    /// Whether it stands for nothing: absent, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Scalar { .. } if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::Sequence(items) => items.iter().map(Self::size).sum(),
            Value::Mapping(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
        }
    }
}

// === impl Composer ===

impl<'a> Composer<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            parser: Parser::new_from_str(source.text()),
            source,
            anchors: HashMap::new(),
            nodes: 0,
        }
    }

    /// What the next document holds; `None` at the end.
    fn document(&mut self) -> Result<Option<Node>, Problem> {
        loop {
            match self.next()? {
                (
                    Event::Nothing
                    | Event::StreamStart
                    | Event::DocumentStart(_)
                    | Event::DocumentEnd,
                    _,
                ) => {}
                (Event::StreamEnd, _) => return Ok(None),
                (event, span) => return self.node(event, span, 0).map(Some),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((
                event,
                self.source.span(span.start.index(), span.end.index()),
            )),
            Some(Err(error)) => {
                let at = error.marker().index();
                Err(Problem::error(
                    self.source.span(at, at + 1),
                    format!("this is not YAML: {}", error.info()),
                ))
            }
            None => Ok((
                Event::StreamEnd,
                Span {
                    line: 1,
                    column: 1,
                    length: 1,
                },
            )),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(Problem::error(
                span,
                "this is too deep, or its aliases expand to too much, for a stack file",
            ));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::Scalar(text, style, anchor, _) => {
                let value = Value::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                };
                (anchor, value)
            }
            Event::SequenceStart(anchor, _) => (anchor, Value::Sequence(self.sequence(depth)?)),
            Event::MappingStart(anchor, _) => (anchor, Value::Mapping(self.mapping(depth)?)),
            _ => {
                return Err(Problem::error(
                    span,
                    "this is not YAML: a value was expected",
                ));
            }
        };
        let node = Node { span, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Problem> {
        let node = self.anchors.get(&anchor).ok_or_else(|| {
            Problem::error(
                span,
                "this alias stands inside the very thing it stands for",
            )
        })?;
        self.nodes += node.size();
        Ok(node.clone())
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<(Spanned<String>, Node)>, Problem> {
        let mut entries: Vec<(Spanned<String>, Node)> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => break,
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Value::Scalar { text, plain } = key.value else {
                return Err(Problem::error(key.span, "a key is a text here"));
            };
            if plain && text == "<<" {
                merged.push(value);
                continue;
            }
            if let Some((first, _)) = entries.iter().find(|(first, _)| first == text.as_str()) {
                let message = format!(
                    "`{text}` stands here a second time; the first is on line {}",
                    first.span.line
                );
                return Err(Problem::error(key.span, message));
            }
            entries.push((Spanned::new(text, key.span), value));
        }
        merged
            .into_iter()
            .try_for_each(|value| merge(&mut entries, value))?;
        Ok(entries)
    }
}

/// Adds what a merge key (`<<`) names, where the mapping does not say otherwise itself.
fn merge(entries: &mut Vec<(Spanned<String>, Node)>, value: Node) -> Result<(), Problem> {
    match value.value {
        Value::Mapping(merged) => {
            for (key, node) in merged {
                if entries.iter().all(|(present, _)| *present != key) {
                    entries.push((key, node));
                }
            }
            Ok(())
        }
        Value::Sequence(items) => items.into_iter().try_for_each(|item| merge(entries, item)),
        Value::Scalar { .. } => Err(Problem::error(
            value.span,
            "`<<` takes a mapping, or a list of them",
        )),
    }
}
