//! The fixture of the contract's tests: a function in our runtime, or a plain server to stand behind of-watchdog.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use openfaas_runtime::{Context, Data, Event, Failure, Function};
use openfaas_tests::contract::fixture::router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let ended = match std::env::var("fixture_serves_on") {
        Ok(port) => serve(port.parse().expect("a port")).map_err(|error| error.to_string()),
        Err(_) => function().run().map_err(|error| error.to_string()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// The function, as the environment asks for it.
fn function() -> Function {
    let function = match std::env::var_os("fixture_events") {
        Some(_) => Function::event(handle),
        None => Function::router(router()),
    };
    let function = function.init(async || {
        tokio::time::sleep(duration("fixture_init", Duration::ZERO)).await;
        match std::env::var("fixture_init_fails") {
            Ok(reason) => Err(reason),
            Err(_) => Ok(()),
        }
    });
    let Some(file) = std::env::var_os("fixture_ready_file") else {
        return function;
    };
    function.ready(move || {
        let there = std::path::Path::new(&file).exists();
        async move { if there { Ok(()) } else { Err("not yet") } }
    })
}

/// Does what the event's type asks for.
async fn handle(event: Event<Data>, context: Context) -> Result<Vec<Event<Data>>, Failure> {
    match event.ty() {
        "retry" => Err(Failure::retry()
            .after(Duration::from_secs(7))
            .because("busy")),
        "reject" => Err(Failure::reject("never")),
        "reply" => {
            let attempt = i32::try_from(context.attempt()).unwrap_or(i32::MAX);
            let reply =
                Event::new("replied", event.data().clone()).with_extension("attempt", attempt);
            Ok(vec![reply])
        }
        _ => Ok(vec![]),
    }
}

/// The same routes as a server of its own, which ends as the server of the Go template does: the interval after
/// SIGTERM, once what it does is done.
fn serve(port: u16) -> std::io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::time::sleep(duration("fixture_init", Duration::ZERO)).await;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let mut builder = http1::Builder::new();
        // What of-watchdog lets through shall not fail here.
        builder.max_headers(1000).max_buf_size(1 << 21);
        let graceful = GracefulShutdown::new();
        let closing = async {
            terminate.recv().await;
            tokio::time::sleep(duration("healthcheck_interval", Duration::from_secs(30))).await;
        };
        tokio::pin!(closing);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let service = TowerToHyperService::new(router());
                    let connection = builder.serve_connection(TokioIo::new(accepted?.0), service);
                    tokio::spawn(graceful.watch(connection));
                }
                () = &mut closing => break,
            }
        }
        drop(listener);
        graceful.shutdown().await;
        Ok(())
    })
}

/// A duration of the environment.
fn duration(key: &str, default: Duration) -> Duration {
    std::env::var(key)
        .ok()
        .and_then(|text| openfaas_delivery::duration::parse(&text))
        .unwrap_or(default)
}
