//! Plays histories of the delivery engine.
//!
//! `--seed N` prints the history of one seed; `--seeds N` plays the first N (default 2,000, from `--from`); `--mistakes`
//! plants each known mistake and says which seed finds it. Exit code 1 when a promise is broken or a mistake is not found.

use std::process::ExitCode;
use std::time::Instant;

use openfaas_delivery::engine::{Mistake, Planted};
use openfaas_delivery::sim;

/// Seeds played where nothing else is said.
const SEEDS: u64 = 2_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        words.get(place + 1)?.parse::<u64>().ok()
    };
    let planted = words
        .iter()
        .position(|word| word == "--mistake")
        .and_then(|place| {
            let wanted = words.get(place + 1)?;
            Mistake::ALL
                .into_iter()
                .find(|mistake| format!("{mistake:?}") == *wanted)
        });
    let planted = planted.map_or(Planted::default(), Planted::one);
    let (from, seeds) = (
        number("--from").unwrap_or(0),
        number("--seeds").unwrap_or(SEEDS),
    );
    if let Some(seed) = number("--seed") {
        return one(seed, planted);
    }
    if words.iter().any(|word| word == "--mistakes") {
        return mistakes(from..from + seeds);
    }
    many(from..from + seeds, planted)
}

fn one(seed: u64, planted: Planted) -> ExitCode {
    let report = sim::play(seed, planted, true);
    for line in &report.history {
        println!("{line}");
    }
    println!(
        "seed {seed}: {:.1} virtual seconds, {} lines",
        report.seconds,
        report.history.len()
    );
    for violation in &report.violations {
        println!("broken: {violation}");
    }
    verdict(report.violations.is_empty())
}

fn many(seeds: std::ops::Range<u64>, planted: Planted) -> ExitCode {
    let start = Instant::now();
    let mut broken = 0;
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let report = sim::play(seed, planted, false);
        if let Some(first) = report.violations.first() {
            broken += 1;
            println!("seed {seed}: {first}");
        }
    }
    println!(
        "{count} seeds in {:.1} s, {broken} broke a promise",
        start.elapsed().as_secs_f64()
    );
    verdict(broken == 0)
}

fn mistakes(seeds: std::ops::Range<u64>) -> ExitCode {
    let mut missed = 0;
    for mistake in Mistake::ALL {
        match sim::first_broken(seeds.clone(), Planted::one(mistake)) {
            Some(report) => println!(
                "{mistake:?}: seed {}: {}",
                report.seed, report.violations[0]
            ),
            None => {
                missed += 1;
                println!("{mistake:?}: not found");
            }
        }
    }
    println!("{} mistakes, {missed} not found", Mistake::ALL.len());
    verdict(missed == 0)
}

fn verdict(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
