//! Full load: wrk with one thread and 32 connections, or the bench's own generator where wrk is not installed.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::generator::{self, Plan, Until};

/// How many connections are kept open, each with one request out.
pub(crate) const CONNECTIONS: usize = 32;

/// What a server did under full load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// Answers per second.
    pub(crate) per_second: f64,
    /// Answers in all.
    pub(crate) answers: u64,
}

/// The program that puts on the load, for a table's caption.
pub(crate) fn program() -> &'static str {
    match Command::new("wrk").arg("-v").output() {
        Ok(_) => "wrk -t1 -c32",
        Err(_) => "the bench's own generator, 32 connections, as wrk is missing",
    }
}

/// Loads the server on `port` for so long as `span` says; any answer but a 2xx is an error.
pub(crate) fn full(port: u16, span: Duration) -> Result<Throughput, Error> {
    let output = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{}s", span.as_secs().max(1)),
        ])
        .arg(format!("http://127.0.0.1:{port}/"))
        .output();
    match output {
        Ok(output) => read_wrk(&String::from_utf8_lossy(&output.stdout))
            .map_err(|reason| Error::Load { port, reason }),
        Err(error) if error.kind() == ErrorKind::NotFound => own(port, span),
        Err(source) => Err(Error::Start {
            program: "wrk".to_owned(),
            source,
        }),
    }
}

fn own(port: u16, span: Duration) -> Result<Throughput, Error> {
    let plan = Plan {
        port,
        connections: CONNECTIONS,
        rate: None,
        until: Until::Elapsed(span),
    };
    let outcome = generator::run(plan).map_err(|error| Error::Load {
        port,
        reason: error.to_string(),
    })?;
    Ok(Throughput {
        per_second: outcome.per_second(),
        answers: outcome.answers() as u64,
    })
}

/// Reads wrk's report.
fn read_wrk(report: &str) -> Result<Throughput, String> {
    if let Some(line) = report
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Non-2xx") || line.starts_with("Socket errors"))
    {
        return Err(line.to_owned());
    }
    let rate = report.lines().find_map(|line| {
        line.trim()
            .strip_prefix("Requests/sec:")?
            .trim()
            .parse()
            .ok()
    });
    let answers = report
        .lines()
        .find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
    match (rate, answers) {
        (Some(per_second), Some(answers)) => Ok(Throughput {
            per_second,
            answers,
        }),
        _ => Err(format!("wrk reported no rate:\n{report}")),
    }
}

#[cfg(test)]
mod tests {
    use super::read_wrk;

    const REPORT: &str = "Running 1s test @ http://127.0.0.1:8080/
  1 threads and 32 connections
  79391 requests in 1.10s, 10.30MB read
Requests/sec:  72204.99
Transfer/sec:      9.36MB
";

    #[test]
    fn a_report_gives_rate_and_count() {
        let throughput = read_wrk(REPORT).expect("a report");
        assert!((throughput.per_second - 72204.99).abs() < 0.01);
        assert_eq!(throughput.answers, 79391);
    }

    #[test]
    fn a_report_with_refusals_is_an_error() {
        let report = REPORT.replace("Transfer/sec:      9.36MB", "  Non-2xx or 3xx responses: 7");
        assert_eq!(
            read_wrk(&report).expect_err("refusals"),
            "Non-2xx or 3xx responses: 7"
        );
    }
}
