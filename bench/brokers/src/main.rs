//! `cargo xtask bench connector | door`: what a real nats-server and a real Kafka have, delivered by the real programs.
//!
//! - [`connector`], [`door`]: the two benches, row by row
//! - [`broker`], [`nats`], [`kafka`]: what a bench asks of a broker
//! - [`gateway`]: what the connector calls
//! - [`contender`]: what is measured, each a process of its own
//! - [`backlog`]: events a second, CPU and memory while a backlog is worked off
//! - [`latency`]: from publish to settle, at a fixed rate
//! - [`stage`]: contenders beside the raw client
//! - [`peer`]: OpenFaaS's own connector beside ours
//! - [`size`]: how much is run
//! - [`results`]: what is printed

mod backlog;
mod broker;
mod connector;
mod contender;
mod door;
mod error;
mod gateway;
mod kafka;
mod latency;
mod nats;
mod peer;
mod results;
mod size;
mod stage;

use std::process::ExitCode;

use lexopt::prelude::*;

use crate::error::Error;
use crate::results::Results;
use crate::size::Size;

const USAGE: &str = "\
Over a real NATS and a real Kafka. Exit code 1 when a budget is missed.

Usage: cargo xtask bench <connector|door> [--quick]

Options:
  --quick  Run so little that nothing is to be concluded from it
";

#[derive(Clone, Copy)]
enum Bench {
    Connector,
    Door,
}

fn main() -> ExitCode {
    let (bench, size) = match parse(lexopt::Parser::from_env()) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(bench, &size) {
        Ok(results) => {
            print!("{results}");
            match results.missed() {
                true => ExitCode::FAILURE,
                false => ExitCode::SUCCESS,
            }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(bench: Bench, size: &Size) -> Result<Results, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io {
            what: "starting a runtime",
            source,
        })?;
    runtime.block_on(async {
        match bench {
            Bench::Connector => connector::run(size).await,
            Bench::Door => door::run(size).await,
        }
    })
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<(Bench, Size)>, lexopt::Error> {
    let (mut bench, mut size) = (None, Size::FULL);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("quick") => size = Size::QUICK,
            Value(name) if bench.is_none() && name == "connector" => bench = Some(Bench::Connector),
            Value(name) if bench.is_none() && name == "door" => bench = Some(Bench::Door),
            other => return Err(other.unexpected()),
        }
    }
    Ok(bench.map(|bench| (bench, size)))
}
