//! Runs commands one after another, says which one is running, and keeps times and verdicts for a summary.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::totals::Totals;

/// The steps of one run, in order, with what became of them.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
    /// The tests counted so far, over all steps.
    totals: Totals,
}

/// One step that has ended.
struct Step {
    name: String,
    took: Duration,
    verdict: Result<(), String>,
}

// === impl Steps ===

impl Steps {
    /// Runs `step` under `name` and keeps its time and verdict.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce(&mut Totals) -> Result<(), String>) {
        println!("\n── {name}");
        let started = Instant::now();
        let mut totals = Totals::default();
        let verdict = step(&mut totals);
        if let Err(reason) = &verdict {
            eprintln!("{name}: {reason}");
        }
        self.totals += totals;
        self.done.push(Step {
            name: name.to_owned(),
            took: started.elapsed(),
            verdict,
        });
    }

    /// Whether every step so far has passed, tests included.
    pub(crate) fn all_passed(&self) -> bool {
        self.totals.failed == 0 && self.done.iter().all(|step| step.verdict.is_ok())
    }

    /// Prints one line per step with its time, then what was not run, and last the sum of all tests on a line of its own.
    pub(crate) fn print_summary(&self, not_run: &[String]) {
        println!("\n── summary");
        for step in &self.done {
            let verdict = match &step.verdict {
                Ok(()) => "ok".to_owned(),
                Err(reason) => format!("FAILED: {reason}"),
            };
            println!(
                "{:>7.1} s  {}  {verdict}",
                step.took.as_secs_f64(),
                step.name
            );
        }
        let took: Duration = self.done.iter().map(|step| step.took).sum();
        println!("{:>7.1} s  in all", took.as_secs_f64());
        for what in not_run {
            println!("not run: {what}");
        }
        println!("{}", self.totals);
    }
}

/// Runs a command to its end, its output going where ours goes.
///
/// # Errors
/// One sentence when it cannot be started or does not exit with 0.
pub(crate) fn check(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
    match status.success() {
        true => Ok(()),
        false => Err(status.to_string()),
    }
}

/// Runs a test command to its end, passes its output on line by line and counts its summary lines into `totals`.
///
/// # Errors
/// One sentence when it cannot be started or does not exit with 0.
pub(crate) fn count(command: &mut Command, totals: &mut Totals) -> Result<(), String> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|error| format!("its output cannot be read: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(counted) = Totals::of_line(&line) {
                *totals += counted;
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("its end cannot be awaited: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(status.to_string()),
    }
}
