//! `cargo xtask test`: every check that has to be green before a change lands.
//!
//! All steps run, also after one has failed, so that one run shows everything that is wrong.

use std::process::{Command, ExitCode};

use openfaas_stack::build::Package;

use crate::step::{self, Steps};
use crate::totals::Totals;
use crate::{cluster, project, setup, tools};

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
    for package in functions() {
        steps.run(&package.name, |totals| function(&package, totals));
    }
    steps.print_summary(&not_run());
    if steps.all_passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the tests that need a cluster, and prints the summary.
pub(crate) fn with_a_cluster() -> ExitCode {
    let mut steps = Steps::default();
    steps.run("setup", |_| set_up());
    steps.run("cluster", |_| cluster::install());
    if steps.all_passed() {
        steps.run("tests with a cluster", |totals| {
            step::count(&mut cluster::test(), totals)
        });
    }
    steps.print_summary(&[]);
    match steps.all_passed() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
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

/// The functions of samples and templates, by their folders, as the local runner would build them.
fn functions() -> Vec<Package> {
    let root = project::root();
    let functions = project::functions().into_iter().map(|folder| {
        let name = folder.strip_prefix(&root).unwrap_or(&folder);
        (name.display().to_string(), folder)
    });
    Package::plan(functions, &root)
}

/// Checks one function as its author would.
fn function(package: &Package, totals: &mut Totals) -> Result<(), String> {
    step::check(project::cargo_in(&package.dir).args(["fmt", "--check"]))?;
    step::check(
        package
            .clean(&project::package_name(&package.dir)?)
            .arg("--quiet"),
    )?;
    step::check(package.cargo("clippy").args([
        "--locked",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    step::count(
        package
            .cargo("test")
            .args(["--locked", "--no-fail-fast"])
            .env("PATH", tools::path()),
        totals,
    )
}

fn not_run() -> Vec<String> {
    PEERS
        .iter()
        .filter(|(program, _)| tools::find(program).is_none())
        .map(|(program, tests)| format!("{tests} ({program} is not on PATH)"))
        .collect()
}
