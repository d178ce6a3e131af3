//! `cargo xtask bench NAME`: builds the bench in release mode and hands over.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{project, step};

/// Runs the bench that `arguments` name; its exit code is 1 when a budget is missed.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let mut bench = project::cargo();
    bench
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "openfaas-bench",
            "--",
        ])
        .args(arguments);
    match step::check(&mut bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
