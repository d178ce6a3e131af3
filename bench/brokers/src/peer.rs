//! OpenFaaS's own nats-connector, where it is on PATH. It takes what comes to a subject while it listens, and promises nothing.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use openfaas_bench::compare::Pairs;
use openfaas_tests::tools::on_path;

use crate::backlog::Figures;
use crate::broker::{Broker, data};
use crate::contender::{Contender, Process};
use crate::error::Error;
use crate::gateway::Gateway;
use crate::nats::Nats;
use crate::stage::{BACKLOG, Stage};

const NAME: &str = "nats-connector";

/// It reaches port 4222 alone, which is free at an address of the loopback that nobody else uses.
const HOST: &str = "127.0.0.2";
const PORT: u16 = 4222;

const TOPIC: &str = "peer";

/// What ours is to reach of it, through one and the same gateway.
const LEAST: f64 = 2.5;

/// From its start to its first call.
const PATIENCE: Duration = Duration::from_secs(30);

/// After so long without a call the rest is lost.
const SILENT: Duration = Duration::from_secs(2);

/// How often it is looked how much was done.
const LOOK: Duration = Duration::from_millis(10);

/// How long the server may take to listen.
const LISTENS: Duration = Duration::from_secs(10);

/// The peer and its server, which has no streams.
struct Peer {
    contender: Contender,
    client: async_nats::Client,
    _server: Process,
}

/// Measures the connector, one by one, and the peer in turn.
pub(crate) async fn beside(stage: &mut Stage<'_, Nats>, gateway: &Gateway) -> Result<(), Error> {
    let (Some(program), Some(server)) = (on_path(NAME), on_path("nats-server")) else {
        stage
            .results
            .remark("nats-connector is not on PATH, so it was not run beside this one.");
        return Ok(());
    };
    if TcpListener::bind((HOST, PORT)).is_err() {
        let taken = format!(
            "nats-connector was not run beside it: {HOST}:{PORT} is taken, and it reaches no other port."
        );
        stage.results.remark(taken);
        return Ok(());
    }
    let peer = Peer::start(program, server, gateway).await?;
    let (mut pairs, mut theirs, mut owns) = (Pairs::default(), Vec::new(), Vec::new());
    for _ in 0..stage.size.pairs {
        let their = peer.run(gateway, stage.size.shared / 5).await?;
        let function = stage.name();
        gateway.deploy(std::slice::from_ref(&function), BACKLOG, &[]);
        let connector = Contender::connector(&stage.broker, &gateway.url)?.named("one by one");
        let backlog = stage.backlog(&[function]);
        let own = backlog.run(&stage.broker, &connector).await?;
        pairs.push(their.per_second, own.per_second);
        theirs.push(their);
        owns.push(own);
    }
    let what = format!("{}, one by one", Nats::NAME);
    let results = &mut stage.results;
    results.ratio(&what, NAME, &pairs, Some(LEAST));
    results.figures(format!("{what}: {NAME} beside it"), &theirs, None);
    results.figures(format!("{what}, beside {NAME}"), &owns, None);
    Ok(())
}

impl Peer {
    async fn start(program: PathBuf, server: PathBuf, gateway: &Gateway) -> Result<Self, Error> {
        let (host, port) = (HOST.to_owned(), PORT.to_string());
        let server = Contender::program(
            "nats-server",
            server,
            ["-a".into(), host, "-p".into(), port],
        );
        let server = server.start()?;
        let listening = Instant::now() + LISTENS;
        let client = loop {
            match async_nats::connect(format!("{HOST}:{PORT}")).await {
                Ok(client) => break client,
                Err(_) if Instant::now() < listening => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(Error::broker("connecting to NATS")(error)),
            }
        };
        let contender = Contender::program(NAME, program, [])
            .with("broker_host", HOST)
            .with("topics", TOPIC)
            .with("gateway_url", &gateway.url)
            .with("rebuild_interval", "1s")
            .with("upstream_timeout", "30s");
        Ok(Self {
            contender,
            client,
            _server: server,
        })
    }

    /// From when all is published to when all is done, or nothing more comes.
    async fn run(&self, gateway: &Gateway, events: u64) -> Result<Figures, Error> {
        eprintln!("nats, {NAME}");
        gateway.deploy(&["noop".to_owned()], TOPIC, &[]);
        let mut process = self.contender.start()?;
        let before = gateway.served();
        let started = Instant::now();
        // What it does not listen to yet is gone.
        while gateway.served() == before {
            process.usage()?;
            if started.elapsed() > PATIENCE {
                return Err(Error::Late {
                    name: NAME.to_owned(),
                    settled: 0,
                    of: events,
                    within: PATIENCE,
                    said: process.last_words(),
                });
            }
            self.publish(1).await?;
            tokio::time::sleep(LOOK * 5).await;
        }
        let all = gateway.served() + events;
        self.publish(events).await?;
        let (begin, first, cpu) = (Instant::now(), gateway.served(), process.usage()?.cpu);
        let mut last = (begin, first);
        while gateway.served() < all && last.0.elapsed() < SILENT {
            if gateway.served() > last.1 {
                last = (Instant::now(), gateway.served());
            }
            tokio::time::sleep(LOOK).await;
        }
        let usage = process.usage()?;
        let done = (last.1 - first) as f64;
        Ok(Figures {
            per_second: done / (last.0 - begin).as_secs_f64(),
            cpu: (usage.cpu - cpu) * 1e6 / done,
            usage,
            drained: None,
        })
    }

    async fn publish(&self, events: u64) -> Result<(), Error> {
        for _ in 0..events {
            let sent = self.client.publish(TOPIC, data().into()).await;
            sent.map_err(Error::broker("publishing an event"))?;
        }
        let flushed = self.client.flush().await;
        flushed.map_err(Error::broker("publishing an event"))
    }
}
