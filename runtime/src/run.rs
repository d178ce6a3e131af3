//! `run()` and `serve()`: flags, environment, threads and signals around the server.

use std::{
    future::Future,
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, TcpStream},
    time::Duration,
};

use openfaas_telemetry::{Telemetry, logs};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    Config, Error, Function, Result,
    server::{self, Sockets},
};

/// A stuck handler needs a second worker beside it, also on one CPU.
const MIN_WORKERS: usize = 2;
/// How long the process waits for threads that are stuck, once all is said.
const LAST_THREADS: Duration = Duration::from_millis(100);

/// How long a process may take to say that it is well: less than the time that a container's own check has.
const HEALTHCHECK: Duration = Duration::from_millis(900);

/// What the command line asks for.
enum Flag {
    Healthcheck,
    Version,
}

/// All of a function's process.
pub(crate) fn run(function: Function) -> Result<()> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::Nested);
    }
    let flag = std::env::args()
        .skip(1)
        .find_map(|argument| Flag::of(&argument));
    if let Some(Flag::Version) = flag {
        println!(
            "Version: {} SHA: {}",
            env!("CARGO_PKG_VERSION"),
            option_env!("GIT_SHA").unwrap_or("unknown")
        );
        return Ok(());
    }
    let config = match &function.parts.config {
        Some(config) => config.clone(),
        None => Config::from_env()?,
    };
    if let Some(Flag::Healthcheck) = flag {
        return healthcheck(&config);
    }
    let workers = std::thread::available_parallelism()
        .map_or(MIN_WORKERS, |cpus| cpus.get().max(MIN_WORKERS));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    let served = runtime.block_on(async {
        let shutdown = signals()?;
        let sockets = Sockets {
            calls: listen(&config, config.port)
                .await
                .map_err(|source| Error::Listen {
                    port: config.port,
                    source,
                })?,
            metrics: Some(listen_for_metrics(&config).await?),
        };
        start(function, config, sockets, shutdown).await
    });
    runtime.shutdown_timeout(LAST_THREADS);
    served
}

/// The same on somebody else's runtime, socket and shutdown.
pub(crate) async fn serve(
    function: Function,
    calls: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let config = match &function.parts.config {
        Some(config) => config.clone(),
        None => Config::from_env()?,
    };
    let metrics = Some(listen_for_metrics(&config).await?);
    start(function, config, Sockets { calls, metrics }, shutdown).await
}

async fn start(
    function: Function,
    config: Config,
    sockets: Sockets,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let logs = logs::init(config.logs.clone());
    let telemetry = Telemetry::start(config.telemetry.clone());
    telemetry.collect(&logs);
    telemetry.metrics().install();
    for warning in config.telemetry.warnings() {
        tracing::warn!("{warning}");
    }
    let served = server::serve(function, config, sockets, telemetry, logs.clone(), shutdown).await;
    logs.flush(Duration::from_secs(1));
    served
}

/// `-run-healthcheck`: whether the lock file is there or, since a process may be well without one, what `/_/health` says.
fn healthcheck(config: &Config) -> Result<()> {
    if server::lock::path(config).exists() || says_it_is_well(config).unwrap_or(false) {
        Ok(())
    } else {
        Err(Error::Unhealthy)
    }
}

fn says_it_is_well(config: &Config) -> std::io::Result<bool> {
    let host = match config.listen_address {
        Some(address) if !address.is_unspecified() => address,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    let mut socket = TcpStream::connect_timeout(&(host, config.port).into(), HEALTHCHECK)?;
    socket.set_read_timeout(Some(HEALTHCHECK))?;
    socket.write_all(b"GET /_/health HTTP/1.0\r\n\r\n")?;
    let mut answer = [0; 12];
    socket.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}

/// Ready at the first SIGTERM or SIGINT.
fn signals() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn listen_for_metrics(config: &Config) -> Result<TcpListener> {
    let port = config.metrics_port;
    listen(config, port)
        .await
        .map_err(|source| Error::ListenMetrics { port, source })
}

/// On one address, or on all of both families where the system has both.
async fn listen(config: &Config, port: u16) -> std::io::Result<TcpListener> {
    if let Some(address) = config.listen_address {
        return TcpListener::bind((address, port)).await;
    }
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

// === impl Flag ===

impl Flag {
    fn of(argument: &str) -> Option<Flag> {
        let name = argument
            .strip_prefix("--")
            .or_else(|| argument.strip_prefix('-'))?;
        match name {
            "run-healthcheck" => Some(Flag::Healthcheck),
            "version" => Some(Flag::Version),
            _ => None,
        }
    }
}
