//! The servers that are put side by side.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::server::{self, Contender};
use crate::sink::Sink;

/// The reference of the budgets.
pub(crate) fn axum() -> Result<Contender, Error> {
    Contender::own("bare axum", "noop_axum")
}

/// The floor.
pub(crate) fn hyper() -> Result<Contender, Error> {
    Contender::own("raw hyper", "noop_hyper")
}

/// A function of this project that hands spans to `sink` and traces no call that its caller does not; no request log.
pub(crate) fn unsampled(sink: &Sink) -> Result<Contender, Error> {
    Ok(function("openfaas-runtime, not sampled")?
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint())
        .with("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        .with("request_log", "false"))
}

/// The same with the request log, which is on by default, into a pipe that is read.
pub(crate) fn logging(sink: &Sink) -> Result<Contender, Error> {
    Ok(function("openfaas-runtime, request log")?
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint())
        .with("OTEL_TRACES_SAMPLER", "parentbased_always_off"))
}

/// The same without request log, every call traced and handed to `sink`.
pub(crate) fn traced(sink: &Sink) -> Result<Contender, Error> {
    Ok(function("openfaas-runtime, every call traced")?
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint())
        .with("OTEL_TRACES_SAMPLER", "always_on")
        .with("request_log", "false"))
}

/// A function of this project; its drain is short, since nothing routes to it.
fn function(name: &'static str) -> Result<Contender, Error> {
    Ok(Contender::own(name, "noop_openfaas")?
        .with("OPENFAAS_NAME", "noop")
        .with("drain_quiet", "0")
        .with("healthcheck_interval", "0"))
}

/// of-watchdog in http mode before a small Go server; `None` where of-watchdog is not on PATH.
///
/// # Errors
/// When the Go server cannot be built.
pub(crate) fn watchdog() -> Result<Option<Contender>, Error> {
    let Some(program) = on_path("of-watchdog") else {
        return Ok(None);
    };
    let peer = peer()?;
    let port = server::free_port()?;
    let contender = Contender {
        name: "of-watchdog + Go",
        program,
        wrapper: Vec::new(),
        environment: Vec::new(),
    };
    Ok(Some(
        contender
            .with("mode", "http")
            .with("fprocess", peer.display().to_string())
            .with("upstream_url", format!("http://127.0.0.1:{port}"))
            .with("peer_port", port.to_string())
            .with("healthcheck_interval", "100ms"),
    ))
}

/// What a table says where of-watchdog is not on PATH.
pub(crate) const WITHOUT_WATCHDOG: &str =
    "of-watchdog is not on PATH: the rows beside it were not run.";

/// Builds the Go server of `bench/peer` and gives its file.
fn peer() -> Result<PathBuf, Error> {
    let bench = env::current_exe().map_err(|source| Error::Io {
        what: "finding this program",
        source,
    })?;
    let peer = bench.with_file_name("noop_go");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&peer)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("peer"))
        .status()
        .map_err(|source| Error::Start {
            program: "go".to_owned(),
            source,
        })?;
    match status.success() {
        true => Ok(peer),
        false => Err(Error::Ended {
            name: "go build".to_owned(),
            status: status.to_string(),
        }),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
