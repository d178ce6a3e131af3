//! The text of a file, before and after substitution, and the way back from one to the other.

use std::sync::Arc;

use crate::envsubst::{self, Substituted};
use crate::problem::Problem;
use crate::span::Span;

/// A file's text with `${…}` substituted, which still knows where each character came from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The text of the file, as a person sees it.
    pub(crate) original: Arc<str>,
    substituted: Substituted,
    lines: Lines,
}

/// Where the lines of a text start and end, in characters.
#[derive(Clone, Debug)]
struct Lines {
    starts: Vec<usize>,
    total: usize,
}

// === impl Source ===

impl Source {
    /// Substitutes `${…}` in `text`.
    pub(crate) fn expand(
        text: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        let lines = Lines::of(text);
        let substituted = envsubst::substitute(text, &lookup).map_err(|error| {
            Problem::error(lines.span(error.at, error.at + 1), error.to_string())
        })?;
        Ok(Self {
            original: text.into(),
            substituted,
            lines,
        })
    }

    /// The text as it is, where nothing is substituted.
    pub(crate) fn verbatim(text: &str) -> Self {
        Self {
            original: text.into(),
            substituted: Substituted::verbatim(text),
            lines: Lines::of(text),
        }
    }

    /// The text to parse.
    pub(crate) fn text(&self) -> &str {
        &self.substituted.text
    }

    /// The place in the file of a range of characters of [`Self::text`].
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let origin = |at: usize| {
            self.substituted
                .origin
                .get(at)
                .copied()
                .unwrap_or(self.lines.total)
        };
        self.lines.span(origin(start), origin(end))
    }
}

// === impl Lines ===

impl Lines {
    fn of(text: &str) -> Self {
        let mut starts = vec![0];
        let mut total = 0;
        for character in text.chars() {
            total += 1;
            if character == '\n' {
                starts.push(total);
            }
        }
        Self { starts, total }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let line = self.starts.partition_point(|&line| line <= start);
        let line_start = self.starts[line - 1];
        let line_end = self.starts.get(line).map_or(self.total, |next| next - 1);
        let length = end.min(line_end).saturating_sub(start).max(1);
        Span {
            line,
            column: start - line_start + 1,
            length,
        }
    }
}
