//! The commands.

mod client;
mod dead_letters;
mod doctor;
mod options;
mod publish;
mod run;
mod signals;
mod table;
mod tree;
mod trial;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{process::guard, terminal::with_cause};

/// Runs the functions of a stack.yml on this machine: builds and starts them, gives them a gateway that faas-cli talks
/// to, and delivers the events of their topics.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What to do; without any, the functions are run.
    #[command(subcommand)]
    command: Option<Command>,
    /// How to run them.
    #[command(flatten)]
    run: options::Run,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Build and start the functions, and serve them until Ctrl-C
    Run(options::Run),
    /// Publish events to a topic of a running runner
    Publish(publish::Publish),
    /// List, show and put back the dead letters of a running runner
    DeadLetters(dead_letters::DeadLetters),
    /// Say what is wrong with the stack file, the tools and the ports, and what to do about it
    Doctor(doctor::Doctor),
    /// Send sample orders through the order chain of this project, and see whether it keeps its promises
    Try(trial::Try),
    /// End what a runner left that could not do it itself
    #[command(name = guard::COMMAND, hide = true)]
    Guard(guard::Leavings),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Guard(leavings)) => guard::keep(&leavings)
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
        Some(Command::Run(options)) => on_runtime(run::run(options)),
        Some(Command::Publish(options)) => on_runtime(publish::publish(options)),
        Some(Command::DeadLetters(options)) => on_runtime(dead_letters::dead_letters(options)),
        Some(Command::Doctor(options)) => doctor::doctor(options),
        Some(Command::Try(options)) => on_runtime(trial::try_chain(options)),
        None => on_runtime(run::run(arguments.run)),
    };
    done.unwrap_or_else(|error: Box<dyn std::error::Error>| {
        eprintln!("{}", with_cause(&*error));
        ExitCode::FAILURE
    })
}

/// What a command ends with.
type Done = Result<ExitCode, Box<dyn std::error::Error>>;

fn on_runtime(command: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(command)
}
