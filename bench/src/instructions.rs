//! `bench instructions`: what one request costs, counted by callgrind, so that a busy machine makes no difference.
//!
//! Each server is run twice with different numbers of requests; the difference, divided, leaves out start and end.

use std::fs;

use tempfile::TempDir;

use crate::contenders;
use crate::error::Error;
use crate::generator::{self, Plan, Until};
use crate::server::Contender;
use crate::sink::Sink;
use openfaas_bench::compare::{Budget, Pairs};
use openfaas_bench::report::{Report, Row};

/// How many requests the shorter and the longer run send.
const REQUESTS: [u64; 2] = [2_000, 12_000];

/// How many connections send them: enough for the server never to be idle, few enough for valgrind.
const CONNECTIONS: usize = 8;

/// How often each is counted. Under valgrind threads take turns by chance, so counts differ a little.
const RUNS: usize = 3;

/// Counts each server beside bare axum.
pub(crate) fn run() -> Result<Report, Error> {
    let sink = Sink::start()?;
    let axum = contenders::axum()?;
    let lines: Vec<(Contender, Option<Budget>)> = vec![
        (contenders::hyper()?, None),
        (contenders::unsampled(&sink)?, Some(Budget::AtMost(1.0))),
        (contenders::traced(&sink)?, Some(Budget::AtMost(1.6))),
    ];
    let mut report = Report::new(format!(
        "Instructions per request, callgrind, difference of {} and {} requests on {CONNECTIONS} connections; median of {RUNS}",
        REQUESTS[1], REQUESTS[0]
    ));
    for (contender, budget) in lines {
        eprintln!("{}", contender.name);
        let mut pairs = Pairs::default();
        for _ in 0..RUNS {
            pairs.push(per_request(&axum)?, per_request(&contender)?);
        }
        report.push(Row::of_pairs(
            contender.name,
            axum.name,
            &pairs,
            budget,
            thousands,
        ));
    }
    Ok(report)
}

fn per_request(contender: &Contender) -> Result<f64, Error> {
    let [few, many] = REQUESTS;
    let difference = instructions(contender, many)?.saturating_sub(instructions(contender, few)?);
    Ok(difference as f64 / (many - few) as f64)
}

/// All the instructions of a process that answers `requests` requests.
fn instructions(contender: &Contender, requests: u64) -> Result<u64, Error> {
    let folder = TempDir::new().map_err(|source| Error::Io {
        what: "making a temporary folder",
        source,
    })?;
    let log = folder.path().join("log");
    let mut contender = contender.clone();
    contender.wrapper = vec![
        "valgrind".into(),
        "--tool=callgrind".into(),
        "--callgrind-out-file=/dev/null".into(),
        format!("--log-file={}", log.display()).into(),
    ];
    let server = contender.start().map_err(|error| match error {
        Error::Start { .. } => Error::Missing {
            program: "valgrind",
        },
        other => other,
    })?;
    let plan = Plan {
        port: server.port(),
        connections: CONNECTIONS,
        rate: None,
        until: Until::Requests(requests),
    };
    generator::run(plan).map_err(|error| Error::Load {
        port: plan.port,
        reason: error.to_string(),
    })?;
    server.stop();
    let log = fs::read_to_string(&log).map_err(|source| Error::Io {
        what: "reading callgrind's log",
        source,
    })?;
    collected(&log).ok_or(Error::Output {
        program: "callgrind",
        what: "instructions",
    })
}

/// Reads `==123== Collected : 456`.
fn collected(log: &str) -> Option<u64> {
    let (_, count) = log
        .lines()
        .find_map(|line| line.split_once("Collected :"))?;
    count.trim().parse().ok()
}

fn thousands(instructions: f64) -> String {
    format!("{:.1} k", instructions / 1e3)
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn callgrinds_total_is_read() {
        assert_eq!(
            collected("==7== Events    : Ir\n==7== Collected : 123456\n==7==\n"),
            Some(123_456)
        );
    }
}
