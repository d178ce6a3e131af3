//! How a broker is reached: in the clear or over TLS, as whom.

use std::path::PathBuf;

use rdkafka::ClientConfig;

/// TLS and the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Over TLS (feature `kafka-tls`).
    pub tls: Option<Tls>,
    /// As this user.
    pub sasl: Option<Sasl>,
}

/// Files of TLS, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whom to trust; `None`: the system's authorities.
    pub ca: Option<PathBuf>,
    /// The client's certificate and its key, for mutual TLS.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A user who signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// How.
    pub mechanism: Mechanism,
    /// Who.
    pub user: String,
    /// The password.
    pub password: String,
}

/// How a user signs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// With the password as it is: over TLS only, if others can listen.
    #[default]
    Plain,
    /// With a proof of it (feature `kafka-tls`, whose OpenSSL has the hashes).
    ScramSha256,
    /// The same with a longer hash.
    ScramSha512,
}

impl Security {
    pub(super) fn configure(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(Tls { ca, identity }) = &self.tls {
            if let Some(ca) = ca {
                config.set("ssl.ca.location", ca.to_string_lossy());
            }
            if let Some((certificate, key)) = identity {
                config
                    .set("ssl.certificate.location", certificate.to_string_lossy())
                    .set("ssl.key.location", key.to_string_lossy());
            }
        }
        if let Some(sasl) = &self.sasl {
            config
                .set("sasl.mechanism", sasl.mechanism.name())
                .set("sasl.username", &sasl.user)
                .set("sasl.password", &sasl.password);
        }
    }
}

impl Mechanism {
    /// The name of the protocol: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of that name, case ignored.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sasl")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
