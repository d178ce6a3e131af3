//! `cargo xtask bench NAME`: builds everything in release mode and hands over.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{project, step, tools};

/// The servers that are measured. Each is built by itself, with the features that its own manifest asks for.
const SERVERS: [&str; 2] = ["openfaas-bench-reference", "openfaas-bench-function"];

/// Runs the bench that `arguments` name; its exit code is 1 when a budget is missed.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    match build_servers().and_then(|()| run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn build_servers() -> Result<(), String> {
    SERVERS.iter().try_for_each(|package| {
        step::check(project::cargo().args(["build", "--release", "--package", package]))
    })
}

fn run(arguments: Vec<OsString>) -> Result<(), String> {
    step::check(
        project::cargo()
            .args(["run", "--release", "--package", "openfaas-bench", "--"])
            .args(arguments)
            .env("PATH", tools::path()),
    )
}
