//! `bench http`: a no-op handler under full load, and its 99th percentile at half load.

use std::time::Duration;

use crate::contenders;
use crate::error::Error;
use crate::generator::{self, Plan, Until};
use crate::load::{self, Throughput};
use crate::server::Contender;
use crate::sink::Sink;
use openfaas_bench::compare::{Budget, Pairs, median};
use openfaas_bench::report::{Report, Row, rate};

/// How many pairs a ratio is the median of.
const PAIRS: usize = 7;

/// How long a server is loaded before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long one measurement lasts.
const SPAN: Duration = Duration::from_secs(4);

/// What the runtime may add to bare axum's 99th percentile at half load, in microseconds.
const P99_ADDED: f64 = 100.0;

/// A server beside bare axum, and beside of-watchdog where that is there.
struct Line {
    contender: Contender,
    /// Whether each of its calls is a span at the sink.
    traced: bool,
    /// Its requests per second, of bare axum's.
    of_axum: Option<Budget>,
    /// Its requests per second, of of-watchdog's.
    of_watchdog: Option<Budget>,
}

/// Measures in seven rounds; in each, every contender right after bare axum.
pub(crate) fn run() -> Result<Report, Error> {
    let sink = Sink::start()?;
    let axum = contenders::axum()?;
    let watchdog = contenders::watchdog()?;
    let lines = lines(&sink)?;
    let mut of_axum: Vec<Pairs> = lines.iter().map(|_| Pairs::default()).collect();
    let mut of_watchdog: Vec<Pairs> = lines.iter().map(|_| Pairs::default()).collect();
    let mut answers = 0;
    for round in 1..=PAIRS {
        eprintln!("full load, round {round} of {PAIRS}");
        let slow = watchdog.as_ref().map(full_load).transpose()?;
        for (place, line) in lines.iter().enumerate() {
            let reference = full_load(&axum)?;
            let figure = full_load(&line.contender)?;
            of_axum[place].push(reference.per_second, figure.per_second);
            if let Some(slow) = slow {
                of_watchdog[place].push(slow.per_second, figure.per_second);
            }
            if line.traced {
                answers += figure.answers;
            }
        }
    }
    let mut report = Report::new(format!(
        "Requests per second of a no-op handler, {}; median of {PAIRS} interleaved pairs of {} s each",
        load::program(),
        SPAN.as_secs()
    ));
    for (line, pairs) in lines.iter().zip(&of_axum) {
        report.push(Row::of_pairs(
            line.contender.name,
            axum.name,
            pairs,
            line.of_axum,
            rate,
        ));
    }
    match &watchdog {
        Some(watchdog) => {
            for (line, pairs) in lines.iter().zip(&of_watchdog) {
                report.push(Row::of_pairs(
                    line.contender.name,
                    watchdog.name,
                    pairs,
                    line.of_watchdog,
                    rate,
                ));
            }
        }
        None => report.remark(contenders::WITHOUT_WATCHDOG),
    }
    report.remark(exported(sink.take(), answers));
    let half = median(of_axum.iter().map(Pairs::reference)) / 2.0;
    for line in lines.iter().filter(|line| !line.traced) {
        report.push(half_load(&axum, &line.contender, half)?);
    }
    Ok(report)
}

fn lines(sink: &Sink) -> Result<Vec<Line>, Error> {
    let line = |contender, of_axum: Option<f64>, of_watchdog: Option<f64>| Line {
        contender,
        traced: false,
        of_axum: of_axum.map(Budget::AtLeast),
        of_watchdog: of_watchdog.map(Budget::AtLeast),
    };
    Ok(vec![
        line(contenders::hyper()?, None, None),
        line(contenders::unsampled(sink)?, Some(1.0), Some(6.0)),
        line(contenders::logging(sink)?, Some(0.8), Some(5.0)),
        Line {
            traced: true,
            ..line(contenders::traced(sink)?, Some(0.9), Some(5.5))
        },
    ])
}

/// What of the traced calls came out, in one sentence.
fn exported(spans: u64, answers: u64) -> String {
    let dropped = 1.0 - spans as f64 / answers.max(1) as f64;
    format!(
        "Of {answers} traced calls {spans} spans were exported: {:.1} % dropped.",
        dropped.max(0.0) * 100.0
    )
}

/// What a server does that was started for this measurement alone.
fn full_load(contender: &Contender) -> Result<Throughput, Error> {
    let server = contender.start()?;
    let warm_up = load::full(server.port(), WARM_UP)?;
    let throughput = load::full(server.port(), SPAN)?;
    server.stop();
    Ok(Throughput {
        answers: warm_up.answers + throughput.answers,
        ..throughput
    })
}

/// Seven pairs at the same fixed rate.
fn half_load(axum: &Contender, contender: &Contender, rate: f64) -> Result<Row, Error> {
    eprintln!("half load, {}", contender.name);
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        pairs.push(p99(axum, rate)?, p99(contender, rate)?);
    }
    let added = pairs.added();
    let unrest = pairs.unrest() * pairs.reference();
    let budget = Budget::AtMost(P99_ADDED);
    Ok(Row {
        what: format!("{}, p99 at {:.0} k/s", contender.name, rate / 1e3),
        figure: micros(pairs.contender()),
        beside: axum.name.to_owned(),
        reference: micros(pairs.reference()),
        unrest: micros(unrest),
        budget: format!("≤ +{}", micros(P99_ADDED)),
        verdict: Some(budget.verdict(added, unrest)),
        ratio: format!("{added:+.0} µs"),
    })
}

/// The 99th percentile in microseconds at a fixed rate.
fn p99(contender: &Contender, rate: f64) -> Result<f64, Error> {
    let server = contender.start()?;
    load::full(server.port(), WARM_UP)?;
    let plan = Plan {
        port: server.port(),
        connections: load::CONNECTIONS,
        rate: Some(rate),
        until: Until::Elapsed(SPAN),
    };
    let outcome = generator::run(plan).map_err(|error| Error::Load {
        port: plan.port,
        reason: error.to_string(),
    })?;
    server.stop();
    Ok(outcome.latency(0.99).as_secs_f64() * 1e6)
}

fn micros(micros: f64) -> String {
    format!("{micros:.0} µs")
}
