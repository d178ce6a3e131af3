//! Side by side with peers, in one run, as ratios.
//!
//! - [`http`], [`start`], [`memory`], [`instructions`]: a no-op function beside bare axum, raw hyper and of-watchdog
//! - [`codec`]: the CloudEvents codec beside cloudevents-sdk
//! - [`delivery`]: the engine over the in-memory bus
//! - [`contenders`], [`server`]: what is measured, each a process of its own
//! - [`load`], [`generator`], [`sink`]: where requests come from and where spans go
//! - the library: ratios of interleaved pairs, the rule by which a budget is missed, and tables

mod codec;
mod contenders;
mod delivery;
mod error;
mod generator;
mod http;
mod instructions;
mod load;
mod memory;
mod server;
mod sink;
mod start;

use std::process::ExitCode;

use lexopt::prelude::*;

use crate::error::Error;
use openfaas_bench::report::Report;

const USAGE: &str = "\
Side by side with peers, in one run, as ratios. Exit code 1 when a budget is missed.

Usage: cargo xtask bench <NAME>

Names:
  http          Requests per second of a no-op handler, and its p99 at half load
  start         Process start to the first 200
  memory        Resident memory, idle and loaded
  instructions  Instructions per request, counted by callgrind
  codec         The CloudEvents codec beside cloudevents-sdk
  delivery      The engine over the in-memory bus
  connector     The connector over a real NATS and a real Kafka, beside the raw clients
  door          A function that takes its own topic, likewise

The last two take --quick.
";

/// A bench by what it gives.
enum Bench {
    /// A table of ratios.
    Servers(fn() -> Result<Report, Error>),
    /// Its own printing, and a sentence when a budget is missed.
    Library(fn() -> Result<(), String>),
}

fn main() -> ExitCode {
    match parse(lexopt::Parser::from_env()) {
        Ok(Some(bench)) => bench.run(),
        Ok(None) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

// === impl Bench ===

impl Bench {
    fn run(self) -> ExitCode {
        let kept = match self {
            Self::Servers(bench) => bench().map_err(|error| error.to_string()).map(|report| {
                println!("{report}");
                !report.missed()
            }),
            Self::Library(bench) => bench().map(|()| true),
        };
        match kept {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(sentence) => {
                eprintln!("{sentence}");
                ExitCode::FAILURE
            }
        }
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Bench>, lexopt::Error> {
    let name = match arguments.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(None),
        Some(Value(name)) => name,
        Some(other) => return Err(other.unexpected()),
    };
    let bench = match name.to_str() {
        Some("http") => Bench::Servers(http::run),
        Some("start") => Bench::Servers(start::run),
        Some("memory") => Bench::Servers(memory::run),
        Some("instructions") => Bench::Servers(instructions::run),
        Some("codec") => Bench::Library(codec::run),
        Some("delivery") => Bench::Library(delivery::run),
        _ => return Err(Value(name).unexpected()),
    };
    match arguments.next()? {
        None => Ok(Some(bench)),
        Some(other) => Err(other.unexpected()),
    }
}
