//! What was found wrong is printed, with what to do about it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use openfaas_stack::{Report, Severity, Stack, StackError, lint};

use super::Done;
use crate::{
    doctor::{Finding, State, functions, machine},
    session,
    terminal::{Colour, Console, with_cause},
};

/// What to look at.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The stack file; otherwise stack.yaml or stack.yml of this folder
    #[arg(short = 'f', long, value_name = "FILE")]
    yaml: Option<PathBuf>,
    /// Where the gateway is to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub(super) fn doctor(options: Doctor) -> Done {
    let console = Console::of_stdout();
    let mut findings = machine::check(options.listen);
    let stack =
        session::stack_file(options.yaml, Path::new(".")).and_then(|file| Stack::load(&file));
    let report = match stack {
        Ok(stack) => {
            findings.extend(functions::check(&stack));
            Some(stack.report(lint::check(&stack)))
        }
        Err(StackError::Invalid(report)) => Some(report),
        Err(other) => {
            findings.push(Finding {
                about: "stack file".to_owned(),
                said: with_cause(&other),
                state: State::Wrong,
                remedy: None,
            });
            None
        }
    };
    let width = findings
        .iter()
        .map(|finding| finding.about.len())
        .max()
        .unwrap_or_default();
    findings
        .iter()
        .for_each(|finding| show(&console, finding, width));
    let (mut wrong, mut warnings) = (
        count(&findings, State::Wrong),
        count(&findings, State::Warning),
    );
    if let Some(report) = report.filter(|report| !report.problems.is_empty()) {
        console.line("");
        console.line(coloured(&console, &report).trim_end());
        let errors = report
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count();
        wrong += errors;
        warnings += report.problems.len() - errors;
    }
    console.line("");
    let said = match (wrong, warnings) {
        (0, 0) => console.style.paint(Colour::Green, "all is well"),
        (0, warnings) => console
            .style
            .paint(Colour::Yellow, &format!("it works; {warnings} to look at")),
        (wrong, _) => console.style.paint(
            Colour::Red,
            &format!("{wrong} to put right, {warnings} to look at"),
        ),
    };
    console.line(&said);
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn count(findings: &[Finding], state: State) -> usize {
    findings
        .iter()
        .filter(|finding| finding.state == state)
        .count()
}

fn show(console: &Console, finding: &Finding, width: usize) {
    let style = console.style;
    let state = match finding.state {
        State::Well => style.paint(Colour::Green, "ok     "),
        State::Warning => style.paint(Colour::Yellow, "warning"),
        State::Wrong => style.paint(Colour::Red, "wrong  "),
    };
    console.line(&format!(
        "{state}  {:width$}  {}",
        finding.about, finding.said
    ));
    if let Some(remedy) = &finding.remedy {
        console.line(&style.paint(Colour::Dim, &format!("         {:width$}  → {remedy}", "")));
    }
}

fn coloured(console: &Console, report: &Report) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some(("error", _)) => console.style.paint(Colour::Red, line),
        Some(("warning", _)) => console.style.paint(Colour::Yellow, line),
        _ => line.to_owned(),
    };
    report
        .to_string()
        .lines()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}
