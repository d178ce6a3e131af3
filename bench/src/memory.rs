//! `bench memory`: what a server keeps resident, idle and under full load.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::contenders;
use crate::error::Error;
use crate::load;
use crate::server::Contender;
use crate::sink::Sink;
use openfaas_bench::compare::{Budget, Pairs};
use openfaas_bench::report::{Report, Row};

/// How many times each server is measured.
const RUNS: usize = 7;

/// How long a server is left alone before it counts as idle.
const SETTLE: Duration = Duration::from_millis(500);

/// How long it is loaded.
const LOAD: Duration = Duration::from_secs(3);

/// Resident memory in MB of a server and every process it has started.
#[derive(Clone, Copy, Debug)]
struct Resident {
    idle: f64,
    /// When the load ends.
    loaded: f64,
}

/// Measures each server in turn, over and over.
pub(crate) fn run() -> Result<Report, Error> {
    let sink = Sink::start()?;
    let axum = contenders::axum()?;
    let watchdog = contenders::watchdog()?;
    let lines: Vec<(Contender, Option<Budget>)> = vec![
        (contenders::hyper()?, None),
        (contenders::unsampled(&sink)?, Some(Budget::AtMost(0.4))),
    ];
    let mut rows = Vec::new();
    for (contender, budget) in &lines {
        let references = [
            Some((&axum, None)),
            watchdog.as_ref().map(|watchdog| (watchdog, *budget)),
        ];
        for (reference, budget) in references.into_iter().flatten() {
            eprintln!("{} beside {}", contender.name, reference.name);
            let (mut idle, mut loaded) = (Pairs::default(), Pairs::default());
            for _ in 0..RUNS {
                let (theirs, ours) = (resident(reference)?, resident(contender)?);
                idle.push(theirs.idle, ours.idle);
                loaded.push(theirs.loaded, ours.loaded);
            }
            for (when, pairs) in [("idle", &idle), ("loaded", &loaded)] {
                let what = format!("{}, {when}", contender.name);
                rows.push(Row::of_pairs(
                    &what,
                    reference.name,
                    pairs,
                    budget,
                    megabytes,
                ));
            }
        }
    }
    let mut report = Report::new(format!(
        "Resident memory, idle and loaded by {}; median of {RUNS} runs",
        load::program()
    ));
    rows.into_iter().for_each(|row| report.push(row));
    if watchdog.is_none() {
        report.remark(contenders::WITHOUT_WATCHDOG);
    }
    Ok(report)
}

fn resident(contender: &Contender) -> Result<Resident, Error> {
    let server = contender.start()?;
    thread::sleep(SETTLE);
    let idle = resident_of_group(server.pid())?;
    load::full(server.port(), LOAD)?;
    let loaded = resident_of_group(server.pid())?;
    server.stop();
    Ok(Resident { idle, loaded })
}

/// Adds up every process of the group that `leader` leads, from Linux's `/proc`.
fn resident_of_group(leader: u32) -> Result<f64, Error> {
    let failed = |source| Error::Io {
        what: "reading /proc",
        source,
    };
    let mut kilobytes = 0.0;
    for entry in fs::read_dir("/proc").map_err(failed)?.flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if group(&stat) != Some(leader) {
            continue;
        }
        if let Ok(status) = fs::read_to_string(entry.path().join("status")) {
            kilobytes += resident_kilobytes(&status).unwrap_or(0.0);
        }
    }
    Ok(kilobytes / 1024.0)
}

/// The process group in `/proc/PID/stat`: the third field after the name, which is in parentheses and may hold anything.
fn group(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(2)?.parse().ok()
}

fn resident_kilobytes(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn megabytes(megabytes: f64) -> String {
    format!("{megabytes:.1} MB")
}

#[cfg(test)]
mod tests {
    use super::{group, resident_kilobytes};

    #[test]
    fn the_group_is_found_behind_any_name() {
        assert_eq!(group("42 (a (b) c) S 1 77 77 0 -1"), Some(77));
    }

    #[test]
    fn resident_memory_is_read_in_kilobytes() {
        assert_eq!(
            resident_kilobytes("VmPeak:\t  99 kB\nVmRSS:\t    3520 kB\n"),
            Some(3520.0)
        );
    }
}
