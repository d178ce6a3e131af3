//! How clients of Kafka are configured, and from which environment.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::security::{Mechanism, Sasl, Security, Tls};
use crate::wiring::GROUP_PREFIX;

/// Everything that all clients of one owner have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, one or several with commas.
    pub hosts: String,
    /// TLS and the user.
    pub security: Security,
    /// What stands before `.<namespace>.<function>` in the group of a function.
    pub group: String,
    /// A name that this process keeps over restarts: its partitions then wait for it as long as a session lasts instead of
    /// going to others (static membership). None unless set.
    pub instance: Option<String>,
    /// How long a member that is not heard of keeps its partitions; a drain ends within two thirds of it. Default 45 s.
    pub session_timeout: Duration,
    /// How often finished prefixes are committed, unless much was finished before: what a crash repeats at most. Default
    /// 500 ms.
    pub commit_every: Duration,
}

/// What a queue of librdkafka may hold per partition, in KiB (its own default: 64 MiB). The engine holds the rest.
const QUEUED_KIB: u64 = 1_024;

/// What one fetch takes of a partition, in bytes (its own default: 1 MiB): a queue is overrun by no more than this. A
/// single larger message comes all the same.
const PARTITION_FETCH: u64 = 512 * 1024;

/// What one fetch takes of a broker, in bytes (its own default: 50 MiB).
const FETCH: u64 = 8 * 1024 * 1024;

/// What replies and letters on their way may take, in KiB (its own default: 1 GiB).
const SENDING_KIB: u64 = 32 * 1024;

/// What a batch of them may take: so little that it passes wherever one message of the usual size does.
const BATCH: u64 = 64 * 1024;

/// A publication that is not confirmed by then is made again.
pub(super) const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);

impl Settings {
    /// These brokers, in the clear, with every default.
    pub fn new(hosts: impl Into<String>) -> Self {
        Self {
            hosts: hosts.into(),
            security: Security::default(),
            group: GROUP_PREFIX.to_owned(),
            instance: None,
            session_timeout: Duration::from_secs(45),
            commit_every: Duration::from_millis(500),
        }
    }

    /// From an environment with the names of OpenFaaS's own connector: `broker_hosts` (or `broker_host`); `group`; `tls` with
    /// `ca_file`, `cert_file`, `key_file`; `username_file` and `password_file`. Beside those `sasl_mechanism` (default PLAIN), `group_instance` and
    /// `session_timeout` (seconds).
    ///
    /// # Errors
    /// One sentence about the first variable that is missing or wrong.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let file = |name: &str| lookup(name).map(PathBuf::from);
        let hosts = lookup("broker_hosts").or_else(|| lookup("broker_host"));
        let named = |hosts: &String| hosts.split(',').any(|host| !host.trim().is_empty());
        let hosts = hosts.filter(named).ok_or(
            "`broker_hosts` is not set: host:port of one Kafka broker or several, with commas",
        )?;
        let mut settings = Self::new(hosts);
        let identity = match (file("cert_file"), file("key_file")) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => {
                return Err(
                    "`cert_file` and `key_file` go together: one of them is not set".into(),
                );
            }
        };
        let tls = match lookup("tls").as_deref() {
            // Somebody who names certificates does not mean to send a password in the clear.
            None if lookup("ca_file").is_some() || identity.is_some() => {
                return Err("`tls` is not set, and certificates are: write `tls=true`, or `tls=false` to use none of them (`ca_file`, `cert_file`)".into());
            }
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(other) => return Err(format!("`tls` is true or false, not `{other}`")),
        };
        let ca = file("ca_file");
        settings.security.tls = tls.then_some(Tls { ca, identity });
        let secret = |name: &str| {
            let read = |path: String| {
                std::fs::read_to_string(&path)
                    .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                    .map_err(|error| format!("`{name}`: {path} cannot be read: {error}"))
            };
            lookup(name).map(read).transpose()
        };
        let mechanism = match lookup("sasl_mechanism") {
            None => Mechanism::default(),
            Some(name) => Mechanism::parse(&name).ok_or_else(|| {
                format!("`sasl_mechanism` is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not `{name}`")
            })?,
        };
        settings.security.sasl = match (secret("username_file")?, secret("password_file")?) {
            (None, None) => None,
            (Some(user), Some(password)) => Some(Sasl {
                mechanism,
                user,
                password,
            }),
            _ => {
                return Err(
                    "`username_file` and `password_file` go together: one of them is not set"
                        .into(),
                );
            }
        };
        settings.instance = lookup("group_instance");
        if let Some(group) = lookup("group") {
            settings.group = group;
        }
        if let Some(seconds) = lookup("session_timeout") {
            let seconds = seconds.parse().map_err(|_| {
                format!("`session_timeout` is a number of seconds, not `{seconds}`")
            })?;
            settings.session_timeout = Duration::from_secs(seconds);
        }
        Ok(settings)
    }

    /// What every client has.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.hosts)
            .set("client.id", "openfaas")
            .set("socket.keepalive.enable", "true")
            // A broker that comes back is found within this.
            .set("reconnect.backoff.max.ms", "2000")
            // … and a partition that was added, or a topic that is gone, within that.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("topic.metadata.propagation.max.ms", "5000")
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Emerg);
        self.security.configure(&mut config);
        config
    }

    /// A member of a group.
    pub(super) fn consumer(&self, group: &str, topic: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(self.session_timeout))
            .set(
                "heartbeat.interval.ms",
                millis((self.session_timeout / 5).min(Duration::from_secs(3))),
            )
            // What is committed is said here and nowhere else.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // An offset that is gone is an error to tell, not to jump over.
            .set("auto.offset.reset", "error")
            // What is committed alone; and where a partition begins is known only when no transaction that may change it is
            // open.
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            // They say where the end is, past the markers of transactions.
            .set("statistics.interval.ms", "1000")
            .set("queued.min.messages", "10000")
            .set("queued.max.messages.kbytes", QUEUED_KIB.to_string())
            .set("fetch.message.max.bytes", PARTITION_FETCH.to_string())
            .set("fetch.max.bytes", FETCH.to_string())
            // With queues this small, its own second would be the most of the time.
            .set("fetch.queue.backoff.ms", "10");
        if let Some(instance) = &self.instance {
            // One member per topic.
            config.set("group.instance.id", format!("{instance}.{topic}"));
        }
        config
    }

    /// What stores in transactions. Whoever comes later with the same id ends all before him.
    pub(super) fn transactional(&self, id: &str) -> ClientConfig {
        let timeout = self.transaction_timeout();
        let mut config = self.producer();
        config
            .set("transactional.id", id)
            // One that follows another at once is told to come again: with the usual 100 ms that would be most of its time.
            .set("retry.backoff.ms", "10")
            .set("transaction.timeout.ms", millis(timeout))
            .set("message.timeout.ms", millis(timeout * 2 / 3));
        config
    }

    /// A transaction that its producer has left alone is aborted after this. What was stored meanwhile is read after it, and
    /// its owner is missed no earlier.
    fn transaction_timeout(&self) -> Duration {
        TRANSACTION_TIMEOUT.min(self.session_timeout * 2 / 3)
    }

    /// What reads topics from one end to the other, of no group's concern: what is committed alone.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.client();
        config
            // It is never joined; without a name nothing can be assigned.
            .set("group.id", "openfaas.redrive")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("queued.max.messages.kbytes", QUEUED_KIB.to_string())
            .set("fetch.message.max.bytes", PARTITION_FETCH.to_string())
            .set("fetch.max.bytes", FETCH.to_string())
            .set("fetch.queue.backoff.ms", "10");
        config
    }

    /// What stores replies and letters.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // The partition that Java's producers pick for the same key.
            .set("partitioner", "murmur2_random")
            .set("message.timeout.ms", millis(PUBLISH_TIMEOUT))
            .set("linger.ms", "1")
            .set("batch.size", BATCH.to_string())
            // What is too large the broker says, for each topic its own.
            .set("message.max.bytes", "100000000")
            .set("queue.buffering.max.kbytes", SENDING_KIB.to_string());
        config
    }
}

/// The longest that a transaction may take.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        Settings::from_lookup(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn hosts_are_all_it_needs() {
        assert_eq!(
            from(&[("broker_hosts", "kafka:9092")]),
            Ok(Settings::new("kafka:9092"))
        );
        for none in [&[][..], &[("broker_hosts", " , ")]] {
            let error = from(none).unwrap_err();
            assert!(error.contains("`broker_hosts` is not set"), "{error}");
        }
    }

    #[test]
    fn names_of_openfaas_are_known() {
        let settings = from(&[("broker_host", "kafka:9092"), ("group", "faas-group-1")]).unwrap();
        assert_eq!(
            (&*settings.hosts, &*settings.group),
            ("kafka:9092", "faas-group-1")
        );
    }

    #[test]
    fn a_user_comes_from_files_and_stays_out_of_what_is_printed() {
        let folder = std::env::temp_dir().join(format!("kafka-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let (user, password) = (file("user", "alice\n"), file("password", "se cret \n"));
        let settings = from(&[
            ("broker_hosts", "kafka:9092"),
            ("username_file", &user),
            ("password_file", &password),
            ("sasl_mechanism", "scram-sha-256"),
        ])
        .unwrap();
        assert!(!format!("{settings:?}").contains("cret"));
        let sasl = settings.security.sasl.unwrap();
        assert_eq!((&*sasl.user, &*sasl.password), ("alice", "se cret "));
        assert_eq!(sasl.mechanism, Mechanism::ScramSha256);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        for (name, value) in [
            ("tls", "perhaps"),
            ("cert_file", "/cert"),
            ("username_file", "/nowhere"),
            ("sasl_mechanism", "GSSAPI"),
            ("session_timeout", "long"),
            ("ca_file", "/etc/ca.pem"),
        ] {
            let error = from(&[("broker_hosts", "kafka:9092"), (name, value)]).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }
}
