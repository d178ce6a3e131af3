//! From the first accept to the last call.

use std::{future::Future, io, os::fd::AsFd, pin::pin, sync::Arc, time::Duration};

use openfaas_telemetry::{Telemetry, logs::Logs};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{Phase, Server, connection, metrics, watch};
use crate::{Config, Error, Function, Result, door::Door, function::Hook};

/// Where a function is reached.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// For calls.
    pub(crate) calls: TcpListener,
    /// For metrics; `None`: nowhere.
    pub(crate) metrics: Option<TcpListener>,
}

/// Serves until `shutdown`, then drains.
pub(crate) async fn serve(
    function: Function,
    config: Config,
    sockets: Sockets,
    telemetry: Telemetry,
    logs: Logs,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let (making, mut parts) = function.into_parts();
    let hooks = std::mem::take(&mut parts.hooks);
    let server = Arc::new(Server::new(&config, parts, telemetry, logs));
    for doubt in config.doubts() {
        tracing::warn!("{doubt}");
    }
    announce(&config, &sockets);
    let mut background = JoinSet::new();
    if let Some(listener) = sockets.metrics {
        background.spawn(metrics::serve(server.clone(), listener));
    }
    // Without the thread or the handle there is still a function, only nobody to say that it is stuck.
    let watched = sockets
        .calls
        .as_fd()
        .try_clone_to_owned()
        .map(|listener| server.watch.listen(listener.into()));
    if let Err(error) = watched.and_then(|()| watch::start(&server)) {
        tracing::warn!("nothing watches for stuck handlers: {error}");
    }
    let door = Door::open(&server, &config).await?;
    let mut connections = JoinSet::new();
    let mut initialising = pin!(initialise(&server, making, config.init_grace));
    let serving = async {
        tokio::select! {
            biased;
            failed = &mut initialising => return Err(failed),
            () = shutdown => {}
            () = accept(&server, &sockets.calls, &mut connections) => {}
        }
        Ok(())
    };
    serving.await?;
    drain(&server, &config, sockets.calls, connections, door, hooks).await;
    Ok(())
}

/// Says what of-watchdog says when it starts, and where.
fn announce(config: &Config, sockets: &Sockets) {
    let port = |listener: &TcpListener| listener.local_addr().map_or(0, |address| address.port());
    tracing::info!(
        "Timeouts: read: {:?} write: {:?} hard: {:?} health: {:?}",
        config.read_timeout,
        config.write_timeout,
        config.exec_timeout.unwrap_or_default(),
        config.healthcheck_interval,
    );
    if let Some(metrics) = &sockets.metrics {
        tracing::info!("Metrics listening on port: {}", port(metrics));
    }
    tracing::info!("Listening on port: {}", port(&sockets.calls));
}

/// Runs the initialiser. Returns only if it fails.
async fn initialise(server: &Server, making: crate::function::Making, grace: Duration) -> Error {
    let began = Instant::now();
    let mut making = tokio::spawn(making);
    let made = match tokio::time::timeout(grace, &mut making).await {
        Ok(made) => made,
        Err(_) => {
            tracing::warn!(
                "the initialiser still runs after init_grace: healthy from now on, ready once it is done"
            );
            server.lifecycle.end_grace();
            write_lock(server);
            making.await
        }
    };
    match made {
        Ok(Ok(service)) => {
            server.counters.initialised(began.elapsed());
            server.lifecycle.initialised(service);
            write_lock(server);
            std::future::pending().await
        }
        Ok(Err(error)) => Error::Init(error),
        Err(broken) => Error::Init(broken.into()),
    }
}

fn write_lock(server: &Server) {
    match server.lock.write() {
        Some(Ok(path)) => tracing::info!("Writing lock-file to: {}", path.display()),
        Some(Err((path, error))) => {
            tracing::warn!(
                "no lock file at {}: {error}; health goes without it",
                path.display()
            );
        }
        None => {}
    }
}

/// Takes connections in for as long as it is polled.
async fn accept(server: &Arc<Server>, listener: &TcpListener, connections: &mut JoinSet<()>) {
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection::serve(server.clone(), stream));
            }
            Err(error) => accept_failed(&error).await,
        }
    }
}

/// A connection that broke before it was taken is nobody's trouble; a lack of file handles passes only with time.
pub(crate) async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!("cannot take a connection: {error}");
        sleep(Duration::from_secs(1)).await;
    }
}

/// Stops being well, takes what still comes, closes the socket, ends what runs, says the last words.
async fn drain(
    server: &Arc<Server>,
    config: &Config,
    listener: TcpListener,
    mut connections: JoinSet<()>,
    mut door: Door,
    hooks: Vec<Hook>,
) {
    let signal = Instant::now();
    let end = signal + config.drain_timeout;
    let calls_end = signal + config.calls_drain();
    door.drain();
    tracing::info!(
        "SIGTERM: no new connections in {:?}",
        config.healthcheck_interval.min(config.drain_quiet)
    );
    server.lifecycle.enter(Phase::Leaving);
    server.lock.remove();

    let close = (signal + config.healthcheck_interval).min(calls_end);
    tokio::select! {
        () = accept(server, &listener, &mut connections) => {}
        () = quiet(server, signal, config.drain_quiet, close) => {}
    }
    drop(listener);
    server.watch.close();
    server.lifecycle.enter(Phase::Closed);
    tracing::info!(
        "No new connections allowed, draining: {} requests",
        server.calls_in_flight()
    );

    let over = async {
        door.drained().await;
        while connections.join_next().await.is_some() {}
        while server.calls_in_flight() > 0 {
            // An upgraded connection belongs to nobody here; its end is told, or comes with the next look.
            let _ = tokio::time::timeout(
                Duration::from_millis(50),
                server.lifecycle.call_over().notified(),
            )
            .await;
        }
    };
    if timeout_at(calls_end, over).await.is_err() {
        tracing::warn!(
            "drain_timeout is over: {} requests are cut",
            server.calls_in_flight()
        );
    }
    server.lifecycle.enter(Phase::Cutting);
    connections.abort_all();
    let cut = async {
        while connections.join_next().await.is_some() {}
        door.drained().await;
    };
    let _ = timeout_at(end, cut).await;
    for hook in hooks {
        if timeout_at(end, hook()).await.is_err() {
            tracing::warn!("drain_timeout is over: a shutdown hook is cut");
            break;
        }
    }
    tracing::info!("Exiting. Active connections: {}", server.calls_in_flight());
    server
        .shared
        .telemetry
        .shutdown(end.saturating_duration_since(Instant::now()))
        .await;
}

/// Returns at `close`, or before it once no call has come for `quiet`.
async fn quiet(server: &Server, signal: Instant, quiet: Duration, close: Instant) {
    loop {
        let until = (server.lifecycle.last_call().max(signal) + quiet).min(close);
        if Instant::now() >= until {
            return;
        }
        sleep_until(until).await;
    }
}
