//! Where NATS is, and how quickly an owner is missed there.

use std::time::Duration;

use super::auth::{Auth, Settings, Tls};
use crate::duration;

/// The bucket of leases and records.
pub(super) const BUCKET: &str = "openfaas";

/// What `ack_wait` may be.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(300);

/// How to reach NATS.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses of one cluster: `host`, `host:port` or a URL each.
    pub servers: Vec<String>,
    /// Who we are to NATS.
    pub auth: Auth,
    /// What the connection is encrypted with.
    pub tls: Tls,
    /// Who this is: the name of the connection, and of whoever holds a lease. A pod's name.
    pub instance: String,
    /// `ack_wait`: how long the server waits for an ack or a sign of progress before it gives a message again. All other
    /// times follow from it: an owner that was killed is missed after one and a half of it.
    pub ack_wait: Duration,
}

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) String);

/// The times of one owner, in parts of `ack_wait`; in words for the 8 s that it has outside tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) ack_wait: Duration,
}

impl Config {
    /// From an environment: `broker_host` (OpenFaaS's own name; several by comma) and what `docs/nats.md` lists.
    ///
    /// # Errors
    /// One sentence with the setting that is wrong.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let settings = Settings::new(lookup);
        let servers = settings
            .text("broker_host")
            .unwrap_or_else(|| "nats".into());
        let named = servers.split(',').map(str::trim);
        let named = named.filter(|server| !server.is_empty());
        let plain = Self::new("");
        let config = Self {
            servers: named.map(str::to_owned).collect(),
            auth: Auth::read(&settings)?,
            tls: Tls::read(&settings)?,
            instance: settings.text("HOSTNAME").unwrap_or(plain.instance),
            ack_wait: match settings.text("ack_wait") {
                None => plain.ack_wait,
                Some(text) => duration::parse(&text)
                    .filter(|wait| (SHORTEST..=LONGEST).contains(wait))
                    .ok_or_else(|| {
                        ConfigError(format!(
                            "ack_wait is {text:?}: write a duration from 500ms to 5m, such as 8s"
                        ))
                    })?,
            },
        };
        // It would be shown wherever the server is named.
        if servers.contains('@') {
            return Err(ConfigError(
                "broker_host has a user in it: set nats_user and nats_password, or mount the secrets nats-user and nats-password".into(),
            ));
        }
        // The client would look for a server among none, for ever and without a pause.
        match config.servers.is_empty() {
            true => Err(ConfigError(format!(
                "broker_host is {servers:?}: write host:port of one NATS server or several, with commas"
            ))),
            false => Ok(config),
        }
    }

    /// One server, without authentication.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            auth: Auth::Nobody,
            tls: Tls::default(),
            instance: "openfaas".into(),
            ack_wait: Duration::from_secs(8),
        }
    }
}

impl Times {
    /// 2.5 s: what is held is reported as in progress.
    pub(super) fn progress(self) -> Duration {
        self.ack_wait * 5 / 16
    }

    /// 3 s: a lease is renewed.
    pub(super) fn renew(self) -> Duration {
        self.ack_wait * 3 / 8
    }

    /// 9 s: a lease that was not renewed is lost.
    pub(super) fn lost(self) -> Duration {
        self.ack_wait * 9 / 8
    }

    /// 12 s: a lease whose revision stood still is free.
    pub(super) fn stale(self) -> Duration {
        self.ack_wait * 12 / 8
    }

    /// 22.5 s: who waits longer to own a durable waits for another owner. Whoever comes back waits for what was on its way to
    /// it (`ack_wait`), and for a lease of its own that it could not leave ([`Self::stale`]).
    pub(super) fn alone(self) -> Duration {
        self.ack_wait + self.stale() + self.progress()
    }

    /// 1 s: who waits for a lease looks at it.
    pub(super) fn look(self) -> Duration {
        self.ack_wait / 8
    }

    /// 2 s: the server says that a pull is still alive.
    pub(super) fn heartbeat(self) -> Duration {
        self.ack_wait / 4
    }

    /// 5 s: a pull of which nothing was heard is dead.
    pub(super) fn silence(self) -> Duration {
        self.ack_wait * 5 / 8
    }

    /// 16 s: a pull ends, where no lease ends it sooner.
    pub(super) fn pull(self) -> Duration {
        self.ack_wait * 2
    }

    /// 30 s: a consumer is compared with what it should be.
    pub(super) fn inspect(self) -> Duration {
        self.ack_wait * 15 / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(name: &str, value: &str) -> Result<Config, String> {
        let config = Config::from_lookup(|asked| (asked == name).then(|| value.to_owned()));
        config.map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_named_one_by_one_or_are_the_usual_one() {
        for (set, servers) in [
            ("", vec!["nats"]),
            ("nats:4222", vec!["nats:4222"]),
            (" a:1, b:2,", vec!["a:1", "b:2"]),
        ] {
            assert_eq!(from("broker_host", set).unwrap().servers, servers, "{set}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        for (name, value) in [
            ("broker_host", " , "),
            ("ack_wait", "soon"),
            ("ack_wait", "499ms"),
            ("ack_wait", "6m"),
        ] {
            let error = from(name, value).unwrap_err();
            assert!(
                error.starts_with(&format!("{name} is {value:?}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = from("broker_host", "nats://ann:secret@nats:4222").unwrap_err();
        assert!(error.starts_with("broker_host has a user in it"), "{error}");
        assert!(!error.contains("secret@"), "{error}");
    }
}
