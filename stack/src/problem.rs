//! What is wrong with a file, and how it is shown.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::span::Span;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It works, though hardly as meant.
    Warning,
    /// It does not work.
    Error,
}

/// One thing that is wrong, where it stands and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub span: Span,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Problem {
    /// Something that does not work.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span,
            message: message.into(),
            remedy: None,
        }
    }

    /// Something that hardly works as meant.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            span,
            message: message.into(),
            remedy: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Problems of one file together with its text, shown as a compiler shows them: message, place, the line itself, remedy.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, in the order of the file.
    pub problems: Vec<Problem>,
    text: Arc<str>,
}

impl Report {
    pub(crate) fn new(path: PathBuf, text: Arc<str>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.span, std::cmp::Reverse(problem.severity)));
        Self {
            path,
            problems,
            text,
        }
    }

    /// Whether one of the problems is an error.
    pub fn has_errors(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write_problem(f, self, problem)?;
        }
        Ok(())
    }
}

fn write_problem(f: &mut fmt::Formatter<'_>, report: &Report, problem: &Problem) -> fmt::Result {
    let severity = match problem.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let Span {
        line,
        column,
        length,
    } = problem.span;
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    writeln!(f, "{severity}: {}", problem.message)?;
    writeln!(f, "{margin}--> {}:{line}:{column}", report.path.display())?;
    if let Some(text) = report.text.lines().nth(line.saturating_sub(1)) {
        let indent: String = text
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {text}")?;
        writeln!(f, "{margin} | {indent}{}", "^".repeat(length.max(1)))?;
    }
    match &problem.remedy {
        Some(remedy) => writeln!(f, "{margin} = help: {remedy}"),
        None => Ok(()),
    }
}
