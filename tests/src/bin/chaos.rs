//! `cargo xtask chaos`: the long run.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use openfaas_tests::chaos::{Counts, OnKafka, OnNats, Plan, Way, play};
use openfaas_tests::tools::built_program;

const USAGE: &str = "\
Sends events through a chain of three functions while whatever can die is killed, and counts what became of each.
Exit code 1 when a promise was broken.

Usage: cargo xtask chaos nats|kafka [OPTIONS]

Options:
  --doors         Functions take their events themselves, without connectors
  --transactions  Replies go with the place of what they answer, and none may be there twice (kafka)
  --events <N>    How many [default: 100000]
  --kills <N>     How often a function or a connector is killed [default: 20]
  --seed <N>      What lots are drawn from [default: another one each time]
  -h, --help      Print this text
";

/// A broker to play over.
#[derive(Clone, Copy)]
enum Over {
    Nats,
    Kafka,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (over, plan) = match parse(lexopt::Parser::from_env()) {
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
    let folder = tempfile::tempdir().expect("a folder").keep();
    eprintln!(
        "seed {}; what processes say: {}",
        plan.seed,
        folder.display()
    );
    let counts = over.play(&plan, &folder).await;
    print!("{counts}");
    if counts.kept() && (!plan.transactions || counts.replied_again == 0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<(Over, Plan)>, lexopt::Error> {
    let mut over = None;
    let mut plan = Plan {
        way: Way::Connectors,
        transactions: false,
        events: 100_000,
        keys: 1_000,
        kills: 20,
        restarts: 3,
        killers: 5,
        letters_away: Duration::from_secs(60),
        seed: fastrand::u64(..),
        patience: Duration::from_secs(40 * 60),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("doors") => plan.way = Way::Doors,
            Long("transactions") => plan.transactions = true,
            Long("events") => plan.events = arguments.value()?.parse()?,
            Long("kills") => plan.kills = arguments.value()?.parse()?,
            Long("seed") => plan.seed = arguments.value()?.parse()?,
            Value(name) if over.is_none() && name == "nats" => over = Some(Over::Nats),
            Value(name) if over.is_none() && name == "kafka" => over = Some(Over::Kafka),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some((over.ok_or("which broker: nats or kafka?")?, plan)))
}

impl Over {
    async fn play(self, plan: &Plan, folder: &Path) -> Counts {
        let function = built_program("openfaas-tests", "chaos-function");
        match self {
            Self::Nats => play::<OnNats>(plan, &function, folder).await,
            Self::Kafka => play::<OnKafka>(plan, &function, folder).await,
        }
    }
}
