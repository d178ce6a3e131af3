//! `bench start`: from starting a process to its first 200.

use std::time::Instant;

use crate::contenders;
use crate::error::Error;
use crate::server::Contender;
use crate::sink::Sink;
use openfaas_bench::compare::{Budget, Pairs};
use openfaas_bench::report::{Report, Row};

/// How many times each server is started.
const RUNS: usize = 30;

/// Starts each server in turn, over and over.
pub(crate) fn run() -> Result<Report, Error> {
    let sink = Sink::start()?;
    let axum = contenders::axum()?;
    let watchdog = contenders::watchdog()?;
    let lines: Vec<(Contender, Option<Budget>)> = vec![
        (contenders::hyper()?, None),
        (contenders::unsampled(&sink)?, Some(Budget::AtMost(0.3))),
    ];
    let mut of_axum: Vec<Pairs> = lines.iter().map(|_| Pairs::default()).collect();
    let mut of_watchdog: Vec<Pairs> = lines.iter().map(|_| Pairs::default()).collect();
    for run in 1..=RUNS {
        eprint!("\rrun {run} of {RUNS}");
        let reference = first_200(&axum)?;
        let slow = watchdog.as_ref().map(first_200).transpose()?;
        for (place, (contender, _)) in lines.iter().enumerate() {
            let figure = first_200(contender)?;
            of_axum[place].push(reference, figure);
            if let Some(slow) = slow {
                of_watchdog[place].push(slow, figure);
            }
        }
    }
    eprintln!();
    let mut report = Report::new(format!(
        "Process start to the first 200; median of {RUNS} runs"
    ));
    for ((contender, _), pairs) in lines.iter().zip(&of_axum) {
        report.push(Row::of_pairs(
            contender.name,
            axum.name,
            pairs,
            None,
            millis,
        ));
    }
    match &watchdog {
        Some(watchdog) => {
            for ((contender, budget), pairs) in lines.iter().zip(&of_watchdog) {
                report.push(Row::of_pairs(
                    contender.name,
                    watchdog.name,
                    pairs,
                    *budget,
                    millis,
                ));
            }
        }
        None => report.remark(contenders::WITHOUT_WATCHDOG),
    }
    Ok(report)
}

/// In milliseconds.
fn first_200(contender: &Contender) -> Result<f64, Error> {
    let started = Instant::now();
    let mut server = contender.spawn()?;
    server.wait_for_200()?;
    let took = started.elapsed();
    server.stop();
    Ok(took.as_secs_f64() * 1e3)
}

fn millis(millis: f64) -> String {
    format!("{millis:.1} ms")
}
