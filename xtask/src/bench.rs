//! `cargo xtask bench NAME`: builds everything in release mode and hands over.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::{project, setup, step, tools};

/// What is measured of a package, built by itself.
struct Measured {
    package: &'static str,
    /// Beside those that its own manifest asks for.
    features: &'static [&'static str],
}

/// The servers that most benches measure.
const SERVERS: [Measured; 2] = [
    Measured::of("openfaas-bench-reference"),
    Measured::of("openfaas-bench-function"),
];

/// What is measured over real brokers, and the raw clients beside it.
const OVER_BROKERS: [Measured; 3] = [
    Measured::of("openfaas-connector"),
    Measured {
        features: &["kafka", "nats"],
        ..Measured::of("openfaas-bench-function")
    },
    Measured::of("openfaas-bench-brokers"),
];

/// Runs the bench that `arguments` name; its exit code is 1 when a budget is missed.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let name = arguments.first().and_then(|name| name.to_str());
    let ran = match name {
        Some("connector" | "door") => over_brokers(arguments),
        _ => build(&SERVERS).and_then(|()| run("openfaas-bench", arguments)),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn over_brokers(arguments: Vec<OsString>) -> Result<(), String> {
    let missing = setup::for_tests();
    for sentence in &missing {
        eprintln!("{sentence}");
    }
    if !missing.is_empty() {
        return Err(missing.join("; "));
    }
    build(&OVER_BROKERS)?;
    run("openfaas-bench-brokers", arguments)
}

fn build(all: &[Measured]) -> Result<(), String> {
    all.iter().try_for_each(|measured| {
        let mut cargo = project::cargo();
        cargo.args(["build", "--release", "--package", measured.package]);
        if !measured.features.is_empty() {
            cargo.args(["--features", &measured.features.join(",")]);
        }
        step::check(&mut cargo)
    })
}

fn run(package: &str, arguments: Vec<OsString>) -> Result<(), String> {
    step::check(
        project::cargo()
            .args(["run", "--release", "--package", package, "--"])
            .args(arguments)
            .env("PATH", tools::path()),
    )
}

// === impl Measured ===

impl Measured {
    const fn of(package: &'static str) -> Self {
        Self {
            package,
            features: &[],
        }
    }
}
