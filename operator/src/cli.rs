//! The commands.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use openfaas_stack::lint::Cluster;
use openfaas_stack::{Report, Stack, StackError};

use crate::settings::{Profile, Settings};
use crate::{folder, lint, render};

/// Renders stack.yml to the KEDA objects that scale its functions and connectors.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What to do
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Write a ScaledObject and a TriggerAuthentication for each connector and each function with a door
    Render(Render),
    /// Say what is wrong with the stack file and with the ScaledObjects beside it, and what to do about it
    Lint(Lint),
}

/// What to render, and where to.
#[derive(Debug, Args)]
struct Render {
    /// The stack file; otherwise stack.yaml or stack.yml of this folder
    stack: Option<PathBuf>,
    /// The folder that is to hold the manifests; otherwise they are printed
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// How to render
    #[command(flatten)]
    settings: Settings,
}

/// What to look at.
#[derive(Debug, Args)]
struct Lint {
    /// The stack file; otherwise stack.yaml or stack.yml of this folder
    stack: Option<PathBuf>,
    /// Manifests, or folders of them; otherwise the folder `keda` beside the stack file
    manifests: Vec<PathBuf>,
    /// What OpenFaaS they are for
    #[arg(long, value_enum, default_value_t = Profile::Ce)]
    profile: Profile,
}

/// What a command ends with.
type Done = Result<ExitCode, Box<dyn std::error::Error>>;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Render(options) => render(options),
        Command::Lint(options) => lint(options),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn render(options: Render) -> Done {
    let manifests = render::manifests(
        &Stack::load(&stack_file(options.stack)?)?,
        &options.settings,
    )?;
    for remark in manifests.iter().flat_map(|manifest| &manifest.remarks) {
        eprintln!("{remark}");
    }
    match &options.output {
        Some(path) => {
            let changes = folder::write(path, &manifests)?;
            changes
                .written
                .iter()
                .for_each(|file| println!("wrote {}", file.display()));
            changes
                .removed
                .iter()
                .for_each(|file| println!("removed {}", file.display()));
        }
        None => {
            let texts: Vec<&str> = manifests
                .iter()
                .map(|manifest| manifest.text.as_str())
                .collect();
            print!("{}", texts.join("---\n"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lint(options: Lint) -> Done {
    let stack = stack_file(options.stack)?;
    let mut manifests = options.manifests;
    if manifests.is_empty() {
        manifests.extend(Some(stack.with_file_name("keda")).filter(|folder| folder.is_dir()));
    }
    let cluster = match options.profile {
        Profile::Ce => Cluster::Ce,
        Profile::Plain => Cluster::Plain,
    };
    let reports = lint::reports(&stack, &manifests, cluster)?;
    for report in &reports {
        println!("{report}");
    }
    let problems: usize = reports.iter().map(|report| report.problems.len()).sum();
    match problems {
        0 => println!("all is well"),
        count => println!("{count} to look at"),
    }
    Ok(match reports.iter().any(Report::has_errors) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn stack_file(named: Option<PathBuf>) -> Result<PathBuf, StackError> {
    named.map_or_else(|| Stack::find(Path::new(".")), Ok)
}
