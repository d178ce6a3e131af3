//! `run()`: flags, environment, threads and signals of a process of its own.

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{Config, Error, Function, Result, server};

pub(crate) fn run(function: Function) -> Result<()> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::Nested);
    }
    let config = match &function.parts.config {
        Some(config) => config.clone(),
        None => Config::from_env()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    runtime.block_on(async {
        let port = config.port;
        let listener = TcpListener::bind(("0.0.0.0", port))
            .await
            .map_err(|source| Error::Listen { port, source })?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Start)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        server::serve(function.config(config), listener, shutdown).await
    })
}
