//! The environment, read once. Names and defaults are those of OpenFaaS's own connectors, where these have one.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use openfaas_delivery::duration;
use openfaas_delivery::wiring::{Broker, GROUP_PREFIX, Start};
use openfaas_telemetry::logs::LogConfig;

use crate::gateway::Credentials;

/// Everything the connector takes from the environment, but for what its broker does. `docs/connector.md` describes
/// each variable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// `gateway_url`: where functions are listed and called.
    pub gateway: String,
    /// `basic_auth`, and the files `basic-auth-user` and `basic-auth-password` in `secret_mount_path`.
    pub credentials: Option<Credentials>,
    /// `topics`: only these; `None`: every topic that a function names.
    pub topics: Option<Vec<String>>,
    /// `group`: what stands before `.<namespace>.<function>` in a Kafka group.
    pub group: String,
    /// `HOSTNAME`: who this is.
    pub instance: String,
    /// `initial_offset`: where a durable or group begins whose function has no `events.start`.
    pub start: Option<Start>,
    /// `rebuild_interval`: how often the functions are listed.
    pub rebuild_interval: Duration,
    /// `upstream_timeout`: the longest a call may take.
    pub upstream_timeout: Duration,
    /// `drain_timeout`: from SIGTERM to exit, at most.
    pub drain_timeout: Duration,
    /// `asynchronous_invocation`: functions are called by way of the gateway's queue.
    pub asynchronous: bool,
    /// `print_response`: a line for each answer, without its body.
    pub print_response: bool,
    /// `metrics_port`: where `/metrics`, `/_/health` and `/_/ready` are; 0: any free one.
    pub metrics_port: u16,
    /// `log_format`, `RUST_LOG`, …
    pub logs: LogConfig,
    /// `OTEL_*`.
    pub telemetry: openfaas_telemetry::Config,
    /// What was asked for and is not done, a sentence each.
    pub doubts: Vec<String>,
}

/// A value of the environment that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{key}={value} is not right: it must be {expected}")]
    Value {
        /// The variable.
        key: &'static str,
        /// What it holds.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A secret that is asked for is not there.
    #[error(
        "basic_auth is set, and {path} cannot be read; mount the secret `basic-auth` or set secret_mount_path"
    )]
    Secret {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A password that would be shown wherever the gateway is named.
    #[error(
        "gateway_url has a user in it; set basic_auth=true and mount basic-auth-user and basic-auth-password"
    )]
    User,
    /// A setting of traces, metrics or logs.
    #[error(transparent)]
    Telemetry(#[from] openfaas_telemetry::ConfigError),
}

impl Config {
    /// Reads each value once from `lookup`.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn from_lookup(
        broker: Broker,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let values = Values(lookup);
        let (rebuild_interval, upstream_timeout) = match broker {
            Broker::Nats => (Duration::from_secs(5), Duration::from_secs(60)),
            Broker::Kafka => (Duration::from_secs(30), Duration::from_secs(120)),
        };
        let secrets = values.text("secret_mount_path");
        let secrets = PathBuf::from(secrets.as_deref().unwrap_or("/var/secrets"));
        let basic_auth = values.flag("basic_auth")?;
        let bodies = ["print_response_body", "print_request_body"];
        let mut doubts = Vec::new();
        for key in bodies {
            if values.flag(key)? {
                doubts.push(format!(
                    "{key} is set and has no effect: message bodies never reach a log"
                ));
            }
        }
        let asynchronous = values.flag("asynchronous_invocation")?;
        if asynchronous {
            doubts.push(
                "asynchronous_invocation is set: what the gateway's queue has taken counts as done, so retries, \
                 order and dead letters end there"
                    .to_owned(),
            );
        }
        Ok(Self {
            gateway: values.gateway()?,
            credentials: basic_auth.then(|| credentials(&secrets)).transpose()?,
            topics: values.text("topics").map(|text| list(&text)),
            group: values
                .text("group")
                .unwrap_or_else(|| GROUP_PREFIX.to_owned()),
            instance: values
                .text("HOSTNAME")
                .unwrap_or_else(|| "openfaas-connector".to_owned()),
            start: values.start("initial_offset")?,
            rebuild_interval: values.duration("rebuild_interval", rebuild_interval)?,
            upstream_timeout: values.duration("upstream_timeout", upstream_timeout)?,
            drain_timeout: values.duration("drain_timeout", Duration::from_secs(25))?,
            asynchronous,
            print_response: values.flag("print_response")?,
            metrics_port: values.port("metrics_port", 8081)?,
            logs: LogConfig::from_lookup(&values.0)?,
            telemetry: openfaas_telemetry::Config::from_lookup(&values.0, "openfaas-connector")?,
            doubts,
        })
    }
}

/// The environment.
struct Values<L>(L);

impl<L: Fn(&str) -> Option<String>> Values<L> {
    /// A value without white space around it; an empty one counts as absent.
    fn text(&self, key: &'static str) -> Option<String> {
        let value = (self.0)(key)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn read<T>(
        &self,
        key: &'static str,
        usual: T,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let Some(value) = self.text(key) else {
            return Ok(usual);
        };
        parse(&value).ok_or(ConfigError::Value {
            key,
            value,
            expected,
        })
    }

    fn gateway(&self) -> Result<String, ConfigError> {
        let url = self.text("gateway_url");
        let url = url.unwrap_or_else(|| "http://gateway:8080".to_owned());
        let authority = url.split("://").last().unwrap_or_default();
        match authority.split('/').next() {
            Some(authority) if authority.contains('@') => Err(ConfigError::User),
            _ => Ok(url),
        }
    }

    fn flag(&self, key: &'static str) -> Result<bool, ConfigError> {
        self.read(key, false, "true or false", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    fn start(&self, key: &'static str) -> Result<Option<Start>, ConfigError> {
        self.read(key, None, "oldest or newest", |text| match text {
            "oldest" => Some(Some(Start::Oldest)),
            "newest" => Some(Some(Start::New)),
            _ => None,
        })
    }

    fn duration(&self, key: &'static str, usual: Duration) -> Result<Duration, ConfigError> {
        let longer_than_nothing = |text: &str| duration::parse(text).filter(|time| !time.is_zero());
        self.read(
            key,
            usual,
            "a time above nought, such as 30s",
            longer_than_nothing,
        )
    }

    fn port(&self, key: &'static str, usual: u16) -> Result<u16, ConfigError> {
        self.read(key, usual, "a port from 0 to 65535", |text| {
            text.parse().ok()
        })
    }
}

fn list(text: &str) -> Vec<String> {
    let entries = text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

fn credentials(folder: &Path) -> Result<Credentials, ConfigError> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|source| ConfigError::Secret { path, source })
    };
    Ok(Credentials::new(
        read("basic-auth-user")?.trim(),
        read("basic-auth-password")?.trim(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(Broker::Nats, |key| {
            let found = pairs.iter().find(|(name, _)| *name == key)?;
            Some(found.1.to_owned())
        })
    }

    #[test]
    fn an_empty_environment_gives_what_openfaas_has() {
        let config = config(&[]).unwrap();
        assert_eq!(config.gateway, "http://gateway:8080");
        assert_eq!(config.rebuild_interval, Duration::from_secs(5));
        assert_eq!(config.upstream_timeout, Duration::from_secs(60));
        assert_eq!(config.metrics_port, 8081);
        assert!(config.topics.is_none() && config.credentials.is_none() && !config.asynchronous);
        assert!(config.doubts.is_empty());
    }

    #[test]
    fn topics_are_a_list_and_an_empty_one_is_none() {
        assert_eq!(
            config(&[("topics", "orders, payments,")])
                .unwrap()
                .topics
                .unwrap(),
            ["orders", "payments"]
        );
        assert!(config(&[("topics", " ")]).unwrap().topics.is_none());
    }

    #[test]
    fn a_value_that_cannot_be_read_is_one_sentence() {
        for (key, value, says) in [
            (
                "rebuild_interval",
                "soon",
                "rebuild_interval=soon is not right: it must be a time above nought, such as 30s",
            ),
            (
                "upstream_timeout",
                "0s",
                "upstream_timeout=0s is not right: it must be a time above nought, such as 30s",
            ),
            (
                "metrics_port",
                "70000",
                "metrics_port=70000 is not right: it must be a port from 0 to 65535",
            ),
            (
                "initial_offset",
                "latest",
                "initial_offset=latest is not right: it must be oldest or newest",
            ),
            (
                "asynchronous_invocation",
                "yes",
                "asynchronous_invocation=yes is not right: it must be true or false",
            ),
        ] {
            assert_eq!(config(&[(key, value)]).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn what_is_asked_for_and_not_done_is_said() {
        let config = config(&[
            ("print_response_body", "1"),
            ("asynchronous_invocation", "true"),
        ])
        .unwrap();
        assert_eq!(config.doubts.len(), 2, "{:?}", config.doubts);
    }

    #[test]
    fn a_missing_secret_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let error = config(&[("basic_auth", "1"), ("secret_mount_path", path)]).unwrap_err();
        assert!(
            error.to_string().contains("basic-auth-user cannot be read"),
            "{error}"
        );
        fs::write(folder.path().join("basic-auth-user"), "admin\n").unwrap();
        fs::write(folder.path().join("basic-auth-password"), "secret\n").unwrap();
        let config = config(&[("basic_auth", "1"), ("secret_mount_path", path)]).unwrap();
        assert!(config.credentials.is_some());
        assert!(!format!("{config:?}").contains("secret\""));
    }

    #[test]
    fn a_password_in_the_url_of_the_gateway_is_refused_and_not_repeated() {
        for url in ["http://ann:secret@gateway:8080", "ann:secret@gateway/a"] {
            let error = config(&[("gateway_url", url)]).unwrap_err().to_string();
            assert!(error.starts_with("gateway_url has a user in it"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let kept = config(&[("gateway_url", "http://gateway:8080/a@b")]).unwrap();
        assert_eq!(kept.gateway, "http://gateway:8080/a@b");
    }
}
