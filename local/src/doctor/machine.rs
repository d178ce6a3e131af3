//! This machine.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
};

use super::Finding;

/// The Rust that functions need at least.
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Everything about this machine; the gateway is to listen on `listen`.
#[must_use]
pub fn check(listen: SocketAddr) -> Vec<Finding> {
    vec![
        rust(version("rustc")),
        cargo(version("cargo")),
        faas_cli(),
        temporary(),
        port(listen),
    ]
}

fn rust(version: Option<String>) -> Finding {
    let install =
        format!("install Rust {RUST} or later from https://rustup.rs, or run `rustup update`");
    match version {
        None => Finding::wrong("rustc", "is not on PATH", install),
        Some(version) if is_older(&version) => Finding::wrong(
            "rustc",
            format!("is {version}, and functions need {RUST}"),
            install,
        ),
        Some(version) => Finding::well("rustc", version),
    }
}

fn cargo(version: Option<String>) -> Finding {
    match version {
        None => Finding::wrong(
            "cargo",
            "is not on PATH",
            "install Rust from https://rustup.rs",
        ),
        Some(version) => Finding::well("cargo", version),
    }
}

fn faas_cli() -> Finding {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path)
        .map(|folder| folder.join("faas-cli"))
        .find(|file| file.is_file())
    {
        Some(file) => Finding::well("faas-cli", file.display().to_string()),
        None => Finding::warning(
            "faas-cli",
            "is not on PATH; functions run without it",
            "for new functions and deployments, see https://docs.openfaas.com/cli/install/",
        ),
    }
}

fn temporary() -> Finding {
    let folder: PathBuf = std::env::temp_dir();
    let shown = folder.display().to_string();
    match tempfile::tempdir_in(&folder) {
        Ok(_) => Finding::well("temporary files", shown),
        Err(error) => {
            let remedy = "let TMPDIR name a folder that can be written to";
            Finding::wrong(
                "temporary files",
                format!("{shown} cannot be written to: {error}"),
                remedy,
            )
        }
    }
}

fn port(listen: SocketAddr) -> Finding {
    let about = format!("port {}", listen.port());
    match TcpListener::bind(listen) {
        Ok(_) => Finding::well(about, format!("{listen} is free for the gateway")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::warning(
            about,
            format!("somebody listens on {listen} already, a runner or another program"),
            "end it, or choose another address: `openfaas-local --listen 127.0.0.1:0`",
        ),
        Err(error) => {
            let remedy = "choose another address: `openfaas-local --listen 127.0.0.1:0`";
            Finding::wrong(
                about,
                format!("the gateway cannot listen on {listen}: {error}"),
                remedy,
            )
        }
    }
}

/// The version that a program says it is.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

fn is_older(version: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        version
            .split(['.', '-'])
            .map_while(|number| number.parse().ok())
            .take(3)
            .collect()
    };
    numbers(version) < numbers(RUST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_rust_that_is_too_old_is_found() {
        let state = |version: &str| rust(Some(version.to_owned())).state;
        assert_eq!(state("1.80.1"), State::Wrong);
        assert_eq!(state("1.95.0"), State::Well);
        assert_eq!(state("1.100.0-nightly"), State::Well);
        assert_eq!(rust(None).state, State::Wrong);
    }

    #[test]
    fn a_port_that_is_taken_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(port(taken.local_addr().unwrap()).state, State::Warning);
    }
}
