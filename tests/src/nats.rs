//! A real nats-server with JetStream, and a look into it that does not go through ours.

use std::fs;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::{self, consumer, stream};
use openfaas_delivery::broker::{Header, Message, Position};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::runner::PATIENCE;
use crate::tools::on_path;

/// A running nats-server with a store of its own, which survives [`Server::kill`].
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    folder: TempDir,
    child: Option<Child>,
    port: u16,
}

/// A server that stands still.
#[derive(Debug)]
pub struct Paused(Pid);

impl Server {
    /// Starts one on a free port; nothing in its configuration but JetStream.
    pub fn start() -> Self {
        Self::configured("")
    }

    /// Starts one without JetStream.
    pub fn plain() -> Self {
        Self::with("", |_| String::new())
    }

    /// Starts one with JetStream, and more lines in its configuration file.
    pub fn configured(lines: &str) -> Self {
        Self::with(lines, |at| {
            format!("jetstream: {{ store_dir: \"{at}/store\" }}")
        })
    }

    fn with(lines: &str, jetstream: impl Fn(&str) -> String) -> Self {
        let program = on_path("nats-server").expect("`cargo xtask setup` installs nats-server");
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display().to_string();
        let config = format!(
            "host: 127.0.0.1\nports_file_dir: \"{at}\"\n{}\n{lines}\n",
            jetstream(&at)
        );
        fs::write(folder.path().join("nats.conf"), config).unwrap();
        let mut server = Self {
            program,
            folder,
            child: None,
            port: 0,
        };
        server.restart();
        server
    }

    /// Starts it again, on the same port and the same store.
    pub fn restart(&mut self) {
        self.kill();
        let port = match self.port {
            0 => "-1".to_owned(),
            port => port.to_string(),
        };
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(self.folder.path().join("nats.conf"))
            .args(["--port", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let ports = format!("nats-server_{}.ports", child.id());
        self.child = Some(child);
        let ports = self.folder.path().join(ports);
        let end = Instant::now() + PATIENCE;
        self.port = loop {
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let found = serde_json::from_str::<serde_json::Value>(&text).ok();
            let url = found.and_then(|ports| ports["nats"][0].as_str().map(str::to_owned));
            if let Some(url) = url {
                break url.rsplit(':').next().unwrap().parse().unwrap();
            }
            assert!(Instant::now() < end, "{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        };
    }

    /// Ends it like a power cut.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Makes it stand still, connections and all, until what this gives back is dropped.
    pub fn pause(&self) -> Paused {
        let pid = self.child.as_ref().expect("it runs").id();
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        Paused(pid)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Publishes what no client would: this block of headers as it is.
    pub fn publish_raw(&self, subject: &str, headers: &[u8], body: &[u8]) {
        let mut stream = std::net::TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let total = headers.len() + body.len();
        let line = format!("HPUB {subject} {} {total}\r\n", headers.len());
        let connect = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n";
        let all = [
            &connect[..],
            line.as_bytes(),
            headers,
            body,
            b"\r\nPING\r\n",
        ]
        .concat();
        stream.write_all(&all).unwrap();
        let mut lines = std::io::BufReader::new(stream).lines();
        let pong = lines.find(|line| line.as_ref().unwrap() == "PONG");
        assert!(pong.is_some(), "the server hung up");
    }

    /// A client that is no part of what is tested.
    pub async fn look(&self) -> Look {
        let client = async_nats::connect(self.address()).await.unwrap();
        Look::through(client)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Looks into a server, and changes it as a person would with the `nats` command.
#[derive(Debug, Clone)]
pub struct Look {
    /// JetStream there.
    pub jetstream: jetstream::Context,
}

impl Look {
    /// Through a client that is connected as somebody.
    pub fn through(client: async_nats::Client) -> Self {
        let jetstream = jetstream::new(client);
        Self { jetstream }
    }

    /// Makes a stream for a subject, unless there is one; its name is the subject's with underscores for dots.
    pub async fn stream(&self, subject: &str) {
        self.stream_with(subject, stream::Config::default()).await;
    }

    /// Makes a stream with more to say about it.
    pub async fn stream_with(&self, subject: &str, config: stream::Config) {
        let name = stream_of(subject);
        let config = stream::Config {
            name,
            subjects: vec![subject.to_owned()],
            ..config
        };
        self.jetstream.get_or_create_stream(config).await.unwrap();
    }

    /// Publishes JSON under a media type.
    pub async fn publish(&self, subject: &str, media_type: &str, body: &serde_json::Value) {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("content-type", media_type);
        let stored = self.jetstream.publish_with_headers(
            subject.to_owned(),
            headers,
            body.to_string().into(),
        );
        stored.await.unwrap().await.unwrap();
    }

    /// All messages in the stream of a subject, oldest first.
    pub async fn messages(&self, subject: &str) -> Vec<Message> {
        let name = stream_of(subject);
        let stream = self.jetstream.get_stream(&name).await.unwrap();
        let state = &stream.cached_info().state;
        let mut messages = Vec::new();
        for offset in state.first_sequence..=state.last_sequence {
            let Ok(found) = stream.get_raw_message(offset).await else {
                continue;
            };
            let values = found.headers.iter().flat_map(|(name, values)| {
                let header = |value: &async_nats::HeaderValue| {
                    Header::new(name.to_string(), value.as_str().to_owned())
                };
                values.iter().map(header).collect::<Vec<_>>()
            });
            let mut headers: Vec<Header> = values.collect();
            headers.sort_by(|one, other| one.name.cmp(&other.name));
            messages.push(Message {
                topic: found.subject.as_str().into(),
                position: Position {
                    log: name.as_str().into(),
                    offset,
                },
                time: Some(SystemTime::from(found.time)),
                key: None,
                headers,
                body: Some(found.payload),
            });
        }
        messages
    }

    /// What the server knows of a durable on the stream of a subject.
    pub async fn durable(&self, subject: &str, durable: &str) -> Option<consumer::Info> {
        let stream = self.jetstream.get_stream(stream_of(subject)).await.ok()?;
        stream.consumer_info(durable).await.ok()
    }

    /// How many messages a durable has not settled, on the stream of its own subject; all, where there is no such durable.
    pub async fn backlog(&self, subject: &str, durable: &str) -> usize {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(count) = self.counted(subject, durable).await {
                return count;
            }
            assert!(Instant::now() < end, "nobody tells of {durable}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn counted(&self, subject: &str, durable: &str) -> Option<usize> {
        let stream = self.jetstream.get_stream(stream_of(subject)).await.ok()?;
        let state = &stream.cached_info().state;
        let info = match stream.consumer_info(durable).await {
            Ok(info) => info,
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                return Some(state.messages as usize);
            }
            Err(_) => return None,
        };
        let open = info.num_ack_pending + info.num_pending as usize;
        // One that is just being made is there before what it has to give is counted.
        let delivered = info.delivered.stream_sequence;
        let behind = state.last_sequence.saturating_sub(delivered) as usize;
        Some(if open == 0 { behind } else { open })
    }
}

/// The name of the stream that [`Look::stream`] makes for a subject.
pub fn stream_of(subject: &str) -> String {
    subject.replace(['.', '*', '>'], "_")
}

/// A way to a server that can be held up, or cut.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    way: watch::Sender<Way>,
}

/// How it is with a [`Proxy`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Way {
    held: bool,
    cuts: u32,
}

impl Proxy {
    /// A way to this address, for as long as the runtime lives.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (way, ways) = watch::channel(Way::default());
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                let Ok(there) = TcpStream::connect(&server).await else {
                    continue;
                };
                let (from_here, to_here) = here.into_split();
                let (from_there, to_there) = there.into_split();
                tokio::spawn(pass(from_here, to_there, ways.clone()));
                tokio::spawn(pass(from_there, to_here, ways.clone()));
            }
        });
        Self { address, way }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Lets nothing through, and tells nobody.
    pub fn hold(&self) {
        self.way.send_modify(|way| way.held = true);
    }

    /// Lets through what was held up, and what comes.
    pub fn go_on(&self) {
        self.way.send_modify(|way| way.held = false);
    }

    /// Closes every connection that stands; new ones are let through.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.cuts += 1);
    }
}

/// Passes bytes on, one way, until an end or a cut.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut ways: watch::Receiver<Way>,
) {
    let cuts = ways.borrow().cuts;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = tokio::select! {
            biased;
            Ok(_) = ways.wait_for(|way| way.cuts != cuts) => return,
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            },
        };
        let free = ways.wait_for(|way| !way.held || way.cuts != cuts).await;
        if !free.is_ok_and(|way| way.cuts == cuts) {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
