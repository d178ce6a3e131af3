//! `cargo xtask lock`: brings the Cargo.lock of every function and template up to the root's.

use std::fs;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use crate::project;

/// Locks every function to the versions that the root's Cargo.lock holds, so that all compile and download the same.
pub(crate) fn main() -> ExitCode {
    for folder in project::functions() {
        if let Err(reason) = lock(&folder) {
            eprintln!("{}: {reason}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The root's lock file holds whatever a function may need: cargo drops what this one does not.
fn lock(folder: &Path) -> Result<(), String> {
    fs::copy(
        project::root().join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .map_err(|error| format!("Cargo.lock cannot be copied here: {error}"))?;
    let output = project::cargo_in(folder)
        .args(["metadata", "--format-version", "1"])
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("cargo metadata does not start: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
