//! The commands.

// Without a broker there is nothing to run: then this crate is its library alone.
#![cfg_attr(
    not(any(feature = "kafka", feature = "nats")),
    allow(dead_code, unreachable_code, unused_imports, unused_variables)
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use openfaas_delivery::broker;
#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::{self, Kafka};
#[cfg(feature = "nats")]
use openfaas_delivery::nats::{self, Nats};
use openfaas_delivery::target::http::HttpTarget;
use openfaas_delivery::wiring::Broker;
use openfaas_telemetry::{Telemetry, logs};
use tokio::signal::unix::{SignalKind, signal};

#[cfg(feature = "kafka")]
use crate::moving;
use crate::{Check, Config, Connector, server};
#[cfg(any(feature = "kafka", feature = "nats"))]
use crate::{prune, redrive};

/// Delivers the topics of a broker to the functions that name them in their annotation `topic`, through an OpenFaaS
/// gateway. All else is said by the environment.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// From where
    #[command(subcommand)]
    command: Command,
}

/// From where.
#[derive(Debug, Subcommand)]
enum Command {
    /// From NATS JetStream
    #[cfg(feature = "nats")]
    Nats(Look),
    /// From Kafka
    #[cfg(feature = "kafka")]
    Kafka {
        #[command(flatten)]
        look: Look,
        /// Let the groups of all functions begin where this group has got to, and deliver nothing
        #[arg(long, value_name = "GROUP", conflicts_with_all = ["check", "create"])]
        copy_offsets: Option<String>,
    },
    /// List, show, put back or purge dead letters
    #[cfg(any(feature = "kafka", feature = "nats"))]
    Redrive(redrive::Options),
    /// Delete what functions that are gone left at the broker
    #[cfg(any(feature = "kafka", feature = "nats"))]
    Prune(prune::Options),
}

/// To look before anything is delivered.
#[derive(Debug, clap::Args)]
struct Look {
    /// Say whether gateway, broker, permissions and every topic are as they have to be, and deliver nothing
    #[arg(long)]
    check: bool,
    /// The same, and make the streams or topics that are missing
    #[arg(long)]
    create: bool,
}

/// A broker, as an option names it.
#[cfg(any(feature = "kafka", feature = "nats"))]
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum From {
    /// NATS JetStream
    #[cfg(feature = "nats")]
    Nats,
    /// Kafka
    #[cfg(feature = "kafka")]
    Kafka,
}

/// What a command ends with.
pub(crate) type Done = Result<ExitCode, Box<dyn std::error::Error>>;

/// The whole program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done: Done = match arguments.command {
        #[cfg(feature = "nats")]
        Command::Nats(look) => on_runtime(from_nats(look)),
        #[cfg(feature = "kafka")]
        Command::Kafka { look, copy_offsets } => on_runtime(from_kafka(look, copy_offsets)),
        #[cfg(any(feature = "kafka", feature = "nats"))]
        Command::Redrive(options) => on_runtime(redrive::redrive(options)),
        #[cfg(any(feature = "kafka", feature = "nats"))]
        Command::Prune(options) => on_runtime(prune::prune(options)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn on_runtime(command: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

#[cfg(feature = "nats")]
async fn from_nats(look: Look) -> Done {
    let config = Config::from_lookup(Broker::Nats, environment)?;
    let settings = nats::Config::from_lookup(environment)?;
    if look.is_all() {
        return look
            .at(&config, Broker::Nats, Nats::connect(&settings).await?)
            .await;
    }
    deliver(config, Broker::Nats, async move {
        tracing::info!("NATS at {}", settings.servers.join(", "));
        Nats::connect(&settings).await
    })
    .await
}

#[cfg(feature = "kafka")]
async fn from_kafka(look: Look, copy_offsets: Option<String>) -> Done {
    let config = Config::from_lookup(Broker::Kafka, environment)?;
    let settings = kafka::Settings::from_lookup(environment)?;
    if look.is_all() {
        return look.at(&config, Broker::Kafka, Kafka::new(settings)).await;
    }
    if let Some(group) = copy_offsets {
        return moving::copy_offsets(&config, &Kafka::new(settings), &group).await;
    }
    deliver(config, Broker::Kafka, async move {
        tracing::info!("Kafka at {}", settings.hosts);
        Ok::<_, std::convert::Infallible>(Kafka::new(settings))
    })
    .await
}

impl Look {
    fn is_all(&self) -> bool {
        self.check || self.create
    }

    async fn at(self, config: &Config, kind: Broker, broker: impl broker::Inspect) -> Done {
        for doubt in &config.doubts {
            println!("note     {doubt}");
        }
        match Check::of(&broker, self.create).run(config, kind).await {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::FAILURE),
        }
    }
}

pub(crate) fn environment(key: &str) -> Option<String> {
    std::env::var(key).ok()
}

/// Delivers until SIGTERM or SIGINT.
async fn deliver<B, E>(
    config: Config,
    kind: Broker,
    connecting: impl Future<Output = Result<B, E>>,
) -> Done
where
    B: broker::Broker,
    E: std::error::Error + 'static,
{
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let logs = logs::init(config.logs.clone());
    let telemetry = Telemetry::start(config.telemetry.clone());
    telemetry.collect(&logs);
    for doubt in config.doubts.iter().chain(config.telemetry.warnings()) {
        tracing::warn!("{doubt}");
    }
    let port = config.metrics_port;
    let listener = server::listen(port).await.map_err(|error| {
        format!("metrics_port={port}: cannot listen there: {error}; set another one")
    })?;
    tracing::info!(
        "health, readiness and metrics on {}",
        listener.local_addr()?
    );
    let target = HttpTarget::gateway(&config.gateway)?;
    let target = if config.asynchronous {
        target.queued()
    } else {
        target
    };
    let metrics = telemetry.metrics().clone();
    let broker = connecting.await?;
    let (connector, status) = Connector::new(config, kind, broker, target, &telemetry);
    let server = tokio::spawn(server::serve(listener, Arc::clone(&status), metrics));
    let cut = connector
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    if cut > 0 {
        tracing::warn!("{cut} inputs were cut by drain_timeout; they come again");
    }
    server.abort();
    telemetry.shutdown(LAST_WORDS).await;
    logs.flush(LAST_WORDS);
    Ok(ExitCode::SUCCESS)
}

/// How long spans and lines may take to leave at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);
