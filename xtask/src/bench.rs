//! `cargo xtask bench NAME`: builds the bench in release mode and hands over.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{project, step, tools};

/// Runs the bench that `arguments` name; its exit code is 1 when a budget is missed.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    const PACKAGE: [&str; 3] = ["--release", "--package", "openfaas-bench"];
    let build = step::check(project::cargo().arg("build").args(PACKAGE).arg("--bins"));
    let bench = build.and_then(|()| {
        step::check(
            project::cargo()
                .args(["run", "--quiet"])
                .args(PACKAGE)
                .arg("--")
                .args(arguments)
                .env("PATH", tools::path()),
        )
    });
    match bench {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
