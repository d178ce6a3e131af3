//! `cargo xtask test`: every check that has to be green before a change lands.
//!
//! All steps run, also after one has failed, so that one run shows everything that is wrong.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::step::{self, Steps};
use crate::totals::Totals;
use crate::{project, setup, tools};

/// Programs of others: the tests that drive them run where they are on PATH.
const PEERS: [(&str, &str); 4] = [
    (
        "faas-cli",
        "the tests that scaffold, build, list and invoke with the real faas-cli",
    ),
    (
        "of-watchdog",
        "the contract tests side by side with the real of-watchdog",
    ),
    ("hadolint", "hadolint over the templates' Dockerfile"),
    (
        "otelcol",
        "the test that exports to a real OpenTelemetry Collector",
    ),
];

/// Runs every step and prints the summary.
pub(crate) fn main() -> ExitCode {
    let mut steps = Steps::default();
    steps.run("setup", |_| set_up());
    steps.run("format", |_| format());
    steps.run("clippy, all features", |_| clippy_all_features());
    steps.run("clippy, no features", |_| clippy_no_features());
    steps.run("docs", |_| docs());
    steps.run("dependencies", |_| dependencies());
    steps.run("workspace tests", workspace_tests);
    for folder in project::functions() {
        let name = folder
            .strip_prefix(project::root())
            .unwrap_or(&folder)
            .display()
            .to_string();
        steps.run(&name, |totals| function(&folder, totals));
    }
    steps.print_summary(&not_run());
    if steps.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What only benches need is a remark here, not a failure.
fn set_up() -> Result<(), String> {
    for sentence in setup::for_the_rest() {
        println!("{sentence}");
    }
    match setup::for_tests() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(missing.join("; ")),
    }
}

fn format() -> Result<(), String> {
    step::check(project::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy_all_features() -> Result<(), String> {
    step::check(project::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "--deny",
        "warnings",
    ]))
}

/// One crate at a time: in one call for all of them, what one crate asks of another would switch its features on.
fn clippy_no_features() -> Result<(), String> {
    for member in project::members()?
        .iter()
        .filter(|member| member.has_features)
    {
        let package = ["--package", member.name.as_str()];
        step::check(project::cargo().arg("clippy").args(package).args([
            "--no-default-features",
            "--",
            "--deny",
            "warnings",
        ]))?;
    }
    Ok(())
}

fn docs() -> Result<(), String> {
    step::check(
        project::cargo()
            .args(["doc", "--workspace", "--no-deps", "--all-features"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

fn dependencies() -> Result<(), String> {
    let Some(deny) = tools::find_version("cargo-deny", setup::CARGO_DENY) else {
        return Err(format!("cargo-deny {} is not installed", setup::CARGO_DENY));
    };
    step::check(Command::new(deny).current_dir(project::root()).args([
        "--all-features",
        "--workspace",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}

fn workspace_tests(totals: &mut Totals) -> Result<(), String> {
    step::count(
        project::cargo()
            .args(["test", "--workspace", "--all-features", "--no-fail-fast"])
            .env("PATH", tools::path()),
        totals,
    )
}

/// Checks one function as its author would, but with one build folder for all functions.
///
/// They all carry the template's package name, so in a shared folder cargo would take one function's build for
/// another's: it is removed before each use, the dependencies stay.
fn function(folder: &Path, totals: &mut Totals) -> Result<(), String> {
    let package = project::package_name(folder)?;
    let cargo = || {
        let mut cargo = project::cargo_in(folder);
        cargo
            .env(
                "CARGO_BUILD_BUILD_DIR",
                project::root().join("target").join("functions"),
            )
            .env("PATH", tools::path());
        cargo
    };
    step::check(cargo().args(["fmt", "--check"]))?;
    step::check(cargo().args(["clean", "--quiet", "--package", &package]))?;
    step::check(cargo().args([
        "clippy",
        "--locked",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    step::count(cargo().args(["test", "--locked", "--no-fail-fast"]), totals)
}

fn not_run() -> Vec<String> {
    PEERS
        .iter()
        .filter(|(program, _)| tools::find(program).is_none())
        .map(|(program, tests)| format!("{tests} ({program} is not on PATH)"))
        .collect()
}
