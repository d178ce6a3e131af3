//! The environment, read once.

mod events;
mod parse;

use std::{path::PathBuf, time::Duration};

use http::Uri;
use openfaas_delivery::{reply::HOP_LIMIT, wiring::BUS};
use openfaas_telemetry::logs::LogConfig;

use crate::gateway::Roots;
pub(crate) use events::{Connection, Events};
use parse::Values;

/// Everything the runtime takes from the environment. `docs/configuration.md` describes each variable.
///
/// ```
/// # use openfaas_runtime::Config;
/// let config = Config::from_lookup(|key| (key == "exec_timeout").then(|| "5s".to_owned())).unwrap();
/// assert_eq!(config.exec_timeout, Some(std::time::Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// `OPENFAAS_NAME`, else the pod's name without what its ReplicaSet added: the function's own name.
    pub name: String,
    /// `OPENFAAS_NAMESPACE`.
    pub namespace: String,
    /// `listen_address`: where both ports are opened; `None`: on every address.
    pub listen_address: Option<std::net::IpAddr>,
    /// `port`: where the function is called; 0: any free one.
    pub port: u16,
    /// `metrics_port`: where `/metrics` is; 0: any free one.
    pub metrics_port: u16,
    /// `read_timeout`: for a request's headers and body together, and for a connection between two requests.
    pub read_timeout: Duration,
    /// `write_timeout`: for the answer's first byte; after it, the longest time without a next one.
    pub write_timeout: Duration,
    /// `exec_timeout`: for the handler, until its answer begins; `None`: only `write_timeout` limits it.
    pub exec_timeout: Option<Duration>,
    /// `healthcheck_interval`: how long the socket stays open after a SIGTERM, at most.
    pub healthcheck_interval: Duration,
    /// `init_grace`: health is 503 no longer than this while the initialiser runs.
    pub init_grace: Duration,
    /// `drain_quiet`: after a SIGTERM, the socket is closed once no request came for this long.
    pub drain_quiet: Duration,
    /// `drain_timeout`: from SIGTERM to exit, at most.
    pub drain_timeout: Duration,
    /// `max_inflight`: calls at one time; `None`: no limit.
    pub max_inflight: Option<usize>,
    /// `max_queue`: callers that may wait for a place.
    pub max_queue: usize,
    /// `max_queue_wait`: how long each of them does, at most.
    pub max_queue_wait: Duration,
    /// `max_body`: the longest request body.
    pub max_body: MaxBody,
    /// `ready_path`: `/_/ready` asks the function under this path.
    pub ready_path: Option<String>,
    /// `suppress_lock`: no lock file is written or looked for.
    pub suppress_lock: bool,
    /// `TMPDIR`: the folder of the lock file.
    pub tmp_dir: PathBuf,
    /// `request_log`: a line per request.
    pub request_log: bool,
    /// `log_callid` or `log_call_id`: each of these lines, as text, has the call id in brackets, as of-watchdog writes it.
    pub log_call_id: bool,
    /// `secret_mount_path`: the folder of the secrets.
    pub secret_mount_path: PathBuf,
    /// `gateway_url`: where [`Gateway`](crate::Gateway) calls other functions.
    pub gateway_url: Uri,
    /// `SSL_CERT_FILE`: whom to trust there, behind `https://`.
    pub(crate) gateway_roots: Roots,
    /// `max_reply`: the longest answer, in bytes, that [`Gateway`](crate::Gateway) reads; `None`: no limit.
    pub max_reply: Option<usize>,
    /// `events_max_hops`: how many functions may call one another, or pass an event on, in one chain.
    pub max_hops: u32,
    /// `events_broker`, `events_topic`, …: the broker it has a way of its own to, and what it takes from there.
    pub(crate) events: Option<Events>,
    /// Where a local runner takes publications; it sets this itself.
    pub(crate) bus: Option<Uri>,
    /// `OTEL_*`: what is traced and where it goes.
    pub telemetry: openfaas_telemetry::Config,
    /// `log_format`, `RUST_LOG`, …: what is logged, and how.
    pub logs: LogConfig,
}

/// The longest request body, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxBody {
    /// Nothing was asked for: 10 MiB for what is read whole (an event, an extractor), no limit for what is streamed.
    Default,
    /// The same for every request.
    Bytes(u64),
    /// No limit.
    Unlimited,
}

/// A value of the environment that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read, or is out of range.
    #[error("{key}={value} is not right: it must be {expected}")]
    Value {
        /// The variable.
        key: &'static str,
        /// What it holds.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// JWT authentication is asked for, which this runtime does not do: it never runs open instead.
    #[error(
        "jwt_auth=true cannot be kept: this runtime does not check tokens yet; unset it, or keep of-watchdog for this function"
    )]
    JwtAuth,
    /// `events_broker` names a broker that this build knows nothing of.
    #[error(
        "events_broker={0} needs the feature `{0}` of openfaas-runtime: build the function with `--features {0}`"
    )]
    NoBroker(&'static str),
    /// How it is wired to topics, or connected to their broker.
    #[error("{0}")]
    Events(String),
    /// A setting of traces, metrics or logs.
    #[error(transparent)]
    Telemetry(#[from] openfaas_telemetry::ConfigError),
}

const MAX_BODY: u64 = 10 << 20;
const MAX_REPLY: u64 = 10 << 20;
const SECONDS: fn(u64) -> Duration = Duration::from_secs;

// === impl Config ===

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Config, ConfigError> {
        Config::from_lookup(|key| std::env::var(key).ok())
    }

    /// Reads each value once from `lookup`, which tests replace.
    ///
    /// # Errors
    /// The first value that cannot be used, in one sentence: what it is, what it holds, what would be right.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let env = Values(lookup);
        if env.flag("jwt_auth")?.unwrap_or(false) {
            return Err(ConfigError::JwtAuth);
        }
        let write_timeout = env.duration("write_timeout")?.unwrap_or(SECONDS(30));
        if write_timeout.is_zero() {
            return Err(ConfigError::Value {
                key: "write_timeout",
                value: "0".to_owned(),
                expected: "more than 0",
            });
        }
        let log_call_id = env.flag("log_callid")?;
        let log_call_id_as_documented = env.flag("log_call_id")?;
        let name = name(&env);
        let gateway_url = env
            .read("gateway_url", GATEWAY, gateway)?
            .unwrap_or_else(|| Uri::from_static("http://gateway.openfaas:8080"));
        let namespace = env.text("OPENFAAS_NAMESPACE");
        let namespace = namespace.unwrap_or_else(|| "openfaas-fn".to_owned());
        Ok(Config {
            bus: env.read(BUS, "an http:// address", |url| url.parse().ok())?,
            events: Events::from_lookup(&name, &namespace, &env.0)?,
            telemetry: openfaas_telemetry::Config::from_lookup(&env.0, &name)?
                .with_resource("faas.name", &name),
            logs: LogConfig::from_lookup(&env.0)?,
            name,
            namespace,
            listen_address: env.number("listen_address", "an IP address, like 127.0.0.1")?,
            port: env.number("port", PORT)?.unwrap_or(8080),
            metrics_port: env.number("metrics_port", PORT)?.unwrap_or(8081),
            read_timeout: env.duration("read_timeout")?.unwrap_or(SECONDS(30)),
            write_timeout,
            exec_timeout: Some(env.duration("exec_timeout")?.unwrap_or(SECONDS(30)))
                .filter(|limit| !limit.is_zero()),
            healthcheck_interval: env
                .duration("healthcheck_interval")?
                .unwrap_or(write_timeout),
            init_grace: env.duration("init_grace")?.unwrap_or(SECONDS(4)),
            drain_quiet: env.duration("drain_quiet")?.unwrap_or(SECONDS(5)),
            drain_timeout: env.duration("drain_timeout")?.unwrap_or(SECONDS(25)),
            max_inflight: env
                .number::<i64>("max_inflight", "a whole number; 0 is no limit")?
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|&limit| limit > 0),
            max_queue: env
                .number("max_queue", "a whole number of callers")?
                .unwrap_or(0),
            max_queue_wait: env.duration("max_queue_wait")?.unwrap_or(SECONDS(5)),
            max_body: match env.bytes("max_body")? {
                None => MaxBody::Default,
                Some(0) => MaxBody::Unlimited,
                Some(bytes) => MaxBody::Bytes(bytes),
            },
            ready_path: env.read("ready_path", "a path that begins with /", |path| {
                (path.starts_with('/') && path.parse::<Uri>().is_ok()).then(|| path.to_owned())
            })?,
            suppress_lock: env.flag("suppress_lock")?.unwrap_or(false),
            tmp_dir: env
                .text("TMPDIR")
                .unwrap_or_else(|| "/tmp".to_owned())
                .into(),
            request_log: env.flag("request_log")?.unwrap_or(true),
            log_call_id: log_call_id.or(log_call_id_as_documented).unwrap_or(false),
            secret_mount_path: env
                .text("secret_mount_path")
                .unwrap_or_else(|| "/var/openfaas/secrets".to_owned())
                .into(),
            gateway_roots: roots(&env, &gateway_url)?,
            gateway_url,
            max_reply: Some(env.bytes("max_reply")?.unwrap_or(MAX_REPLY))
                .filter(|&limit| limit > 0)
                .and_then(|limit| usize::try_from(limit).ok()),
            max_hops: env
                .read("events_max_hops", "a whole number from 1 to 1000", |hops| {
                    hops.parse().ok().filter(|hops| (1..=1000).contains(hops))
                })?
                .unwrap_or(HOP_LIMIT),
        })
    }

    /// What of `drain_timeout` calls may have; the rest is kept for hooks and telemetry.
    pub(crate) fn calls_drain(&self) -> Duration {
        self.drain_timeout - SECONDS(2).min(self.drain_timeout / 5)
    }

    /// What cannot be meant as it stands, but does no harm: one sentence each.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self
            .exec_timeout
            .is_some_and(|limit| limit > self.write_timeout)
        {
            doubts.push(format!(
                "exec_timeout is longer than write_timeout: a handler has no more than write_timeout ({:?})",
                self.write_timeout
            ));
        }
        if let Some(more) = self.events.as_ref().and_then(|events| events.beyond(self)) {
            doubts.push(more);
        }
        if self.max_queue > 0 && self.max_inflight.is_none() {
            doubts.push("max_queue has no effect without max_inflight".to_owned());
        }
        doubts
    }
}

impl Default for Config {
    /// What an empty environment gives.
    fn default() -> Config {
        Config::from_lookup(|_| None).expect("an empty environment is a valid one")
    }
}

const PORT: &str = "a port from 0 to 65535";
const GATEWAY: &str = if cfg!(feature = "tls") {
    "an http:// or https:// address, like http://gateway.openfaas:8080"
} else {
    "an http:// address, like http://gateway.openfaas:8080; https:// needs the feature `tls` of openfaas-runtime"
};

impl MaxBody {
    /// For what is read whole before the handler sees it.
    pub(crate) fn whole(self) -> Option<u64> {
        match self {
            MaxBody::Default => Some(MAX_BODY),
            MaxBody::Bytes(bytes) => Some(bytes),
            MaxBody::Unlimited => None,
        }
    }

    /// For what the handler reads as it comes.
    pub(crate) fn streamed(self) -> Option<u64> {
        match self {
            MaxBody::Bytes(bytes) => Some(bytes),
            MaxBody::Default | MaxBody::Unlimited => None,
        }
    }
}

/// `OPENFAAS_NAME`, which OpenFaaS CE does not set; there a pod is named `<function>-<replica set>-<pod>`.
fn name<L: Fn(&str) -> Option<String>>(env: &Values<L>) -> String {
    if let Some(name) = env.text("OPENFAAS_NAME") {
        return name;
    }
    let Some(host) = env.text("HOSTNAME") else {
        return "function".to_owned();
    };
    let mut parts = host.rsplitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(pod), Some(set), Some(function))
            if pod.len() == 5 && (8..=10).contains(&set.len()) =>
        {
            function.to_owned()
        }
        _ => host,
    }
}

fn gateway(value: &str) -> Option<Uri> {
    let uri: Uri = value.trim_end_matches('/').parse().ok()?;
    let scheme = match uri.scheme_str() {
        Some("https") => cfg!(feature = "tls"),
        scheme => scheme == Some("http"),
    };
    (scheme && uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none())
        .then_some(uri)
}

/// The certificates that are named, where they are needed, or those that browsers trust.
fn roots<L: Fn(&str) -> Option<String>>(
    env: &Values<L>,
    gateway: &Uri,
) -> Result<Roots, ConfigError> {
    let expected = "a PEM file of certificates that can be read";
    let behind_tls = gateway.scheme_str() == Some("https");
    let named = env.read("SSL_CERT_FILE", expected, |path| match behind_tls {
        true => Roots::read(path).map(Some),
        false => Some(None),
    })?;
    Ok(named.flatten().unwrap_or_default())
}

#[cfg(test)]
mod tests;
