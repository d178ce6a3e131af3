//! `try`: the order chain is started, sample orders are sent through it, and what became of them is compared with what had
//! to.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use openfaas_delivery::broker::{Position, PublishError};
use openfaas_stack::build::Profile;
use openfaas_telemetry::TraceContext;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Done, signals::Signals, tree::tree};
use crate::{
    bus::{self, Bus},
    session::{self, Session, Start},
    terminal::{Colour, Console, duration},
    traces::Traces,
    trial::{
        FUNCTIONS, Promise,
        orders::{DEADLY, ORDERS, Order, TOPIC},
        promises, revival,
        storefront::Storefront,
        traces,
    },
};

/// How long the orders may take.
const ORDERS_END: Duration = Duration::from_secs(60);

/// How long the last spans may take after that.
const SPANS_COME: Duration = Duration::from_secs(5);

/// The function that one of the orders kills.
const KILLED: &str = "payment";

/// How to try the order chain.
#[derive(Debug, Args)]
pub(super) struct Try {
    /// The stack file of the order chain; otherwise stack.yaml or stack.yml of this folder
    #[arg(short = 'f', long, value_name = "FILE")]
    yaml: Option<PathBuf>,
    /// Keep topics on this broker instead of in memory: nats://HOST:PORT or kafka://HOST:PORT
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Compile the functions as they ship
    #[arg(long)]
    release: bool,
}

/// Why it cannot be tried.
#[derive(Debug, Error)]
enum TryError {
    /// Another stack.
    #[error(
        "{0} has no function {1}: `try` is for the order chain of this project; run `openfaas-local` to start the \
         functions of another stack, and `openfaas-local publish TOPIC --wait` to see where an event goes"
    )]
    OtherStack(String, &'static str),
    /// The bus did not take an order.
    #[error("an order cannot be published")]
    Publish(#[from] PublishError),
}

pub(super) async fn try_chain(options: Try) -> Done {
    let mut signals = Signals::catch()?;
    let console = Console::of_stdout();
    let stack = session::stack_file(options.yaml, Path::new("."))?;
    let session = session::Options {
        stack,
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        profile: if options.release {
            Profile::Release
        } else {
            Profile::Debug
        },
        given: Vec::new(),
        credentials: None,
        broker: options.broker,
        queue: 100,
        // The stack file lets the card `kills` kill only where this is set.
        variables: vec![("demo_faults".to_owned(), "true".to_owned())],
        ready_file: None,
    };
    let session = Session::open(session, console.clone()).await?;
    for function in FUNCTIONS {
        if session.stack.function(function).is_none() {
            let file = session.stack.path.display().to_string();
            session.end().await;
            return Err(TryError::OtherStack(file, function).into());
        }
    }
    let went = tokio::select! {
        biased;
        () = signals.wait() => Ok(None),
        went = go(&session, &console) => went,
    };
    tokio::select! {
        biased;
        () = signals.wait() => {}
        () = session.end() => {}
    }
    let kept = went?.is_some_and(|(promises, took)| report(&console, &promises, took));
    Ok(if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What was promised, and how long the orders took. None when a function does not run.
async fn go(
    session: &Session,
    console: &Console,
) -> Result<Option<(Vec<Promise>, Duration)>, TryError> {
    let starts = session.start().await;
    let failed = starts.iter().filter_map(|(name, start)| match start {
        Start::Failed(why) => Some((name, why)),
        Start::Ready => None,
    });
    let failed: Vec<_> = failed.collect();
    failed
        .iter()
        .for_each(|(name, why)| console.note(name, why));
    if !failed.is_empty() {
        return Ok(None);
    }
    let began = Instant::now();
    let bus = &session.gateway.bus;
    console.line("\nSix orders:");
    let (roots, paths) = send(console, bus, &ORDERS).await?;
    show(console, &paths);
    let mut promises = promises::check(&paths);
    promises.push(traced(&session.gateway.traces, &roots, &paths).await);
    promises.extend(
        Storefront::new(&session.gateway.client, session.gateway.address)
            .check()
            .await,
    );
    console.line("Two more, of which one kills payment whenever it comes:");
    let (roots, paths) = send(console, bus, &DEADLY).await?;
    let revival = revival::check(&session.gateway.functions, KILLED).await;
    show(console, &paths);
    promises.extend(promises::check_deadly(&paths));
    promises.push(revival);
    promises.push(traces::check_deadly(&roots, &paths));
    Ok(Some((promises, began.elapsed())))
}

/// Waits for the last spans.
async fn traced(spans: &Traces, roots: &[TraceContext], paths: &[bus::Path]) -> Promise {
    let deadline = Instant::now() + SPANS_COME;
    loop {
        let promise = traces::check(spans, roots, paths);
        if promise.differs.is_none() || Instant::now() > deadline {
            return promise;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Publishes orders, each in a trace of its own, and waits until nothing more comes of them.
async fn send(
    console: &Console,
    bus: &Bus,
    orders: &[Order],
) -> Result<(Vec<TraceContext>, Vec<bus::Path>), PublishError> {
    let (mut roots, mut positions) = (Vec::new(), Vec::new());
    for order in orders {
        let trace = TraceContext::new_root(true);
        let event = order
            .event()
            .with_extension("traceparent", trace.traceparent());
        positions.push(bus.publish(TOPIC, &event).await?);
        roots.push(trace);
    }
    let paths = follow(console, bus, &positions).await;
    Ok((roots, paths))
}

/// Waits until nothing more comes of the orders.
async fn follow(console: &Console, bus: &Bus, positions: &[Position]) -> Vec<bus::Path> {
    let deadline = Instant::now() + ORDERS_END;
    let mut verdicts = bus.trail.verdicts();
    loop {
        verdicts.mark_unchanged();
        let paths: Vec<_> = positions
            .iter()
            .filter_map(|position| bus.path(position))
            .collect();
        let waiting = paths.iter().filter(|path| !path.is_over()).count();
        let on_their_way = format!("{waiting} on their way");
        console.progress(Some(console.style.paint(Colour::Dim, &on_their_way)));
        let changed = timeout_at(deadline, verdicts.changed());
        if waiting == 0 || changed.await.is_err() {
            console.progress(None);
            return paths;
        }
    }
}

/// Prints the path of each order.
fn show(console: &Console, paths: &[bus::Path]) {
    console.line("");
    for path in paths {
        tree(console.style, path)
            .iter()
            .for_each(|line| console.line(line));
        console.line("");
    }
}

/// Prints which promises were kept. Whether all were.
fn report(console: &Console, promises: &[Promise], took: Duration) -> bool {
    let style = console.style;
    for promise in promises {
        match &promise.differs {
            None => console.line(&format!(
                "{} {}",
                style.paint(Colour::Green, "kept  "),
                promise.what
            )),
            Some(why) => {
                console.line(&format!(
                    "{} {}",
                    style.paint(Colour::Red, "broken"),
                    promise.what
                ));
                console.line(&format!("       {}", style.paint(Colour::Red, why)));
            }
        }
    }
    let broken = promises
        .iter()
        .filter(|promise| promise.differs.is_some())
        .count();
    let orders = ORDERS.len() + DEADLY.len();
    console.line(&match broken {
        0 => style.paint(
            Colour::Green,
            &format!("{orders} orders went as promised in {}", duration(took)),
        ),
        _ => style.paint(
            Colour::Red,
            &format!("{broken} of {} promises were broken", promises.len()),
        ),
    });
    broken == 0
}
