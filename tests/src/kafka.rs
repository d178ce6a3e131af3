//! A Kafka server for tests: one node in KRaft mode, on free ports, in a folder of its own.

mod log;

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;

use self::log::Clients;
pub use self::log::{Committed, is_early};
use crate::guard::Guard;
use crate::tools::{repository, run};

/// The user that listeners with SASL know, for PLAIN and SCRAM alike.
pub const USER: &str = "alice";

/// Its password.
pub const PASSWORD: &str = "through the looking-glass";

/// The password of its own keys.
const STORE: &str = "changeit";

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server. It ends with the process that started it, however that ends.
#[derive(Debug)]
pub struct Server {
    port: u16,
    sasl_port: u16,
    tls_port: u16,
    java: Mutex<Child>,
    clients: Clients,
    guard: Guard,
}

impl Server {
    /// The server that all tests of a binary share, started by the first that asks.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// Where `cargo xtask setup` has not put Kafka's jars, or the server does not come up.
    pub fn start() -> Self {
        Self::configured("")
    }

    /// Starts one with more lines in its configuration.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn configured(lines: &str) -> Self {
        let guard = Guard::new("kafka-");
        let folder = guard.folder();
        let [port, sasl_port, tls_port, controller] = free_ports();
        fs::write(
            folder.join("server.properties"),
            properties(port, sasl_port, tls_port, controller) + "\n" + lines,
        )
        .expect("a file");
        make_keys(folder);
        let scram = format!("SCRAM-SHA-256=[name={USER},password=\"{PASSWORD}\"]");
        run(java()
            .current_dir(folder)
            .args(["kafka.tools.StorageTool", "format"])
            .args(["--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg"])
            .args(["--config", "server.properties", "--add-scram", &scram]));
        let server = Self {
            java: Mutex::new(launch(&guard)),
            clients: Clients::default(),
            port,
            sasl_port,
            tls_port,
            guard,
        };
        server.wait();
        server
    }

    /// Where clients find it: `127.0.0.1:port`.
    pub fn hosts(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where clients find it that know [`USER`] and [`PASSWORD`].
    pub fn sasl_hosts(&self) -> String {
        format!("127.0.0.1:{}", self.sasl_port)
    }

    /// Where clients find it over TLS.
    pub fn tls_hosts(&self) -> String {
        format!("127.0.0.1:{}", self.tls_port)
    }

    /// Its certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.guard.folder().join("certificate.pem")
    }

    /// Kills it as the kernel does when memory runs out.
    pub fn kill(&self) {
        let mut java = self.java.lock().unwrap_or_else(PoisonError::into_inner);
        java.kill().expect("it can be killed");
        java.wait().expect("it ends");
        // Its number may soon be another process's.
        self.guard.knows([]);
    }

    /// Starts it again, after [`Server::kill`], on the same ports and the same folder.
    pub fn restart(&self) {
        *self.java.lock().unwrap_or_else(PoisonError::into_inner) = launch(&self.guard);
        self.wait();
    }

    /// Makes a topic.
    pub async fn create(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = config
            .iter()
            .fold(new, |new, (name, value)| new.set(name, value));
        let made = self
            .admin()
            .create_topics([&new], &AdminOptions::new())
            .await;
        made.expect("an answer")[0].clone().expect("a new topic");
    }

    /// Deletes a topic.
    pub async fn delete(&self, topic: &str) {
        let gone = self
            .admin()
            .delete_topics(&[topic], &AdminOptions::new())
            .await;
        gone.expect("an answer")[0].clone().expect("a topic");
    }

    /// Gives a topic more partitions.
    pub async fn grow(&self, topic: &str, partitions: usize) {
        let more = NewPartitions::new(topic, partitions);
        let grown = self
            .admin()
            .create_partitions([&more], &AdminOptions::new())
            .await;
        grown.expect("an answer")[0].clone().expect("a topic");
    }

    /// Changes a topic's configuration.
    pub async fn configure(&self, topic: &str, config: &[(&str, &str)]) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let change = config
            .iter()
            .fold(change, |change, (name, value)| change.set(name, value));
        let changed = self
            .admin()
            .alter_configs([&change], &AdminOptions::new())
            .await;
        assert!(changed.expect("an answer")[0].is_ok(), "{topic}");
    }

    /// The configuration of a plain client.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.hosts());
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("a client")
    }

    /// Waits until it listens.
    fn wait(&self) {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let mut java = self.java.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = java.try_wait().expect("a child that was not waited for");
            drop(java);
            assert!(
                ended.is_none() && started.elapsed() < PATIENCE,
                "Kafka does not start ({ended:?}): {}",
                fs::read_to_string(self.guard.folder().join("output")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A key and a certificate for this machine, signed with it.
fn make_keys(folder: &Path) {
    let keytool = |arguments: &[&str]| {
        let store = [
            "-keystore",
            "keys.p12",
            "-storepass",
            STORE,
            "-alias",
            "kafka",
        ];
        let mut keytool = Command::new("keytool");
        run(keytool.current_dir(folder).args(arguments).args(store));
    };
    let pair = "-genkeypair -keyalg EC -storetype PKCS12 -dname CN=127.0.0.1 -ext san=ip:127.0.0.1";
    keytool(&pair.split(' ').collect::<Vec<_>>());
    keytool(&["-exportcert", "-rfc", "-file", "certificate.pem"]);
}

fn java() -> Command {
    let jars = repository().join("target/tools/kafka");
    assert!(
        jars.join("pom.xml").is_file(),
        "Kafka is missing: `cargo xtask setup` gets it"
    );
    let mut java = Command::new("java");
    // It is to start fast and stay small.
    java.args(["-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("-cp")
        .arg(jars.join("*"));
    java
}

fn launch(guard: &Guard) -> Child {
    let folder = guard.folder();
    let output = File::create(folder.join("output")).expect("a file");
    let java = java()
        .current_dir(folder)
        .args(["kafka.Kafka", "server.properties"])
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file"))
        .stderr(output)
        .spawn()
        .expect("java starts");
    guard.knows([java.id()]);
    java
}

fn properties(port: u16, sasl_port: u16, tls_port: u16, controller: u16) -> String {
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let user = format!("user_{USER}=\"{PASSWORD}\"");
    [
        "process.roles=broker,controller",
        "node.id=1",
        &format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        &format!(
            "listeners=PLAIN://127.0.0.1:{port},SASL://127.0.0.1:{sasl_port},TLS://127.0.0.1:{tls_port},CONTROLLER://127.0.0.1:{controller}"
        ),
        "listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,CONTROLLER:PLAINTEXT",
        "controller.listener.names=CONTROLLER",
        "inter.broker.listener.name=PLAIN",
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
        &format!("listener.name.sasl.plain.sasl.jaas.config={plain} {user};"),
        &format!("listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}"),
        "ssl.keystore.type=PKCS12",
        "ssl.keystore.location=keys.p12",
        &format!("ssl.keystore.password={STORE}"),
        "log.dirs=logs",
        "num.partitions=1",
        "auto.create.topics.enable=false",
        "offsets.topic.replication.factor=1",
        "offsets.topic.num.partitions=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "transaction.state.log.num.partitions=1",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
        "group.initial.rebalance.delay.ms=0",
        "group.min.session.timeout.ms=1000",
        // Retention and compaction within a test's patience.
        "log.retention.check.interval.ms=200",
        "log.cleaner.backoff.ms=200",
        "log.initial.task.delay.ms=200",
        "log.segment.delete.delay.ms=200",
    ]
    .join("\n")
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All are held until all are known, so that none comes twice.
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a port").port())
}
