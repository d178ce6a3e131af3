//! The chores of this project.
//!
//! - [`setup`]: what the other two need, at pinned versions
//! - [`mod@test`]: every check that has to be green before a change lands
//! - [`lock`]: the functions' Cargo.lock, from the root's
//! - [`mod@bench`]: side by side with peers, in one run
//! - [`chaos`]: everything that can die dies, over a real broker
//!
//! [`step`] runs commands one after another and keeps their times, [`totals`] reads libtest's summary lines,
//! [`tools`] finds programs and [`project`] knows the folders.

mod bench;
mod chaos;
mod cluster;
mod collector;
mod kafka;
mod keda;
mod lock;
mod project;
mod setup;
mod step;
mod test;
mod tools;
mod totals;

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "\
The chores of this project.

Usage: cargo xtask <COMMAND>

Commands:
  setup         Install what tests and benches need and this machine lacks
  test          Run every check and every test, with a summary at the end
    --cluster   Only those that need a Kubernetes cluster and KEDA, which are built first
  lock          Bring the functions' Cargo.lock up to the root's, after dependencies changed
  bench <NAME>  Measure beside peers: http, start, memory, instructions, codec, delivery, connector, door
  chaos <NAME>  Kill whatever can die while events travel over nats or kafka, and count

Options:
  -h, --help    Print this text
";

/// What was asked for on the command line.
enum Chore {
    Help,
    Setup,
    Test,
    /// The tests that need a cluster.
    TestCluster,
    Lock,
    /// The bench's name and whatever follows it.
    Bench(Vec<OsString>),
    /// The broker and whatever follows it.
    Chaos(Vec<OsString>),
}

fn main() -> ExitCode {
    let chore = match parse(lexopt::Parser::from_env()) {
        Ok(chore) => chore,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match chore {
        Chore::Help => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Chore::Setup => setup::main(),
        Chore::Test => test::main(),
        Chore::TestCluster => test::with_a_cluster(),
        Chore::Lock => lock::main(),
        Chore::Bench(arguments) => bench::main(arguments),
        Chore::Chaos(arguments) => chaos::main(arguments),
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Chore, lexopt::Error> {
    let chore = match arguments.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(Chore::Help),
        Some(Value(name)) => match name.to_str() {
            Some("setup") => Chore::Setup,
            Some("test") => Chore::Test,
            Some("lock") => Chore::Lock,
            Some("bench") => return Ok(Chore::Bench(arguments.raw_args()?.collect())),
            Some("chaos") => return Ok(Chore::Chaos(arguments.raw_args()?.collect())),
            _ => return Err(Value(name).unexpected()),
        },
        Some(other) => return Err(other.unexpected()),
    };
    match (arguments.next()?, &chore) {
        (None, _) => Ok(chore),
        (Some(Long("cluster")), Chore::Test) => Ok(Chore::TestCluster),
        (Some(other), _) => Err(other.unexpected()),
    }
}
