//! `cargo xtask chaos nats|kafka`: builds everything in release mode and hands over.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{project, setup, step, tools};

/// Plays the run that `arguments` name; its exit code is 1 when a promise was broken.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let missing = setup::for_tests();
    for sentence in &missing {
        eprintln!("{sentence}");
    }
    let play = || {
        let mut cargo = project::cargo();
        cargo.args(["run", "--release", "--package", "openfaas-tests"]);
        cargo.args(["--bin", "chaos", "--"]).args(arguments);
        step::check(cargo.env("PATH", tools::path()))
    };
    if missing.is_empty() && play().is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
