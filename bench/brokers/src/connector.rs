//! `bench connector`: a no-op function behind the connector, beside the raw client.

use std::time::{Duration, Instant};

use crate::backlog::Backlog;
use crate::broker::Broker;
use crate::contender::Contender;
use crate::error::Error;
use crate::gateway::{self, Gateway};
use crate::kafka::Kafka;
use crate::nats::Nats;
use crate::peer;
use crate::results::Results;
use crate::size::Size;
use crate::stage::{BACKLOG, Stage, Versus};

/// How many events are in one call, and what that is to reach of the raw client.
const BATCHES: [(usize, Option<f64>); 4] =
    [(1, Some(0.2)), (10, None), (100, Some(0.5)), (1_000, None)];

/// How long the first event of a batch waits for others.
const LINGER: &str = "10ms";

/// Functions that share deliveries.
const FUNCTIONS: [usize; 3] = [1, 10, 100];

/// Megabytes resident with 64 calls in flight.
const MEMORY: f64 = 50.0;

/// What memory may grow by while a function is down: what comes after its window is full.
const FLAT: f64 = 1.1;

/// From a function that is gone to a window that is full.
const FILLED: Duration = Duration::from_secs(2);

/// Runs every row over both brokers.
pub(crate) async fn run(size: &Size) -> Result<Results, Error> {
    let mut results = Results::new(format!(
        "The connector, events of 1 KiB, {} waiting; a no-op function {}",
        size.backlog,
        gateway::ABOUT
    ));
    let (mut stage, gateway) = over::<Nats>(size, &mut results).await?;
    peer::beside(&mut stage, &gateway).await?;
    drop(stage);
    over::<Kafka>(size, &mut results).await?;
    Ok(results)
}

async fn over<'a, B: Broker>(
    size: &'a Size,
    results: &'a mut Results,
) -> Result<(Stage<'a, B>, Gateway), Error> {
    let mut stage = Stage::<B>::set(size, results).await?;
    let gateway = Gateway::start().await?;
    for (batch, least) in BATCHES {
        batches(&mut stage, &gateway, batch, least).await?;
    }
    for functions in FUNCTIONS {
        shared(&mut stage, &gateway, functions).await?;
    }
    drained(&mut stage, &gateway).await?;
    down(&mut stage, &gateway).await?;
    Ok((stage, gateway))
}

/// So many events in a call.
async fn batches<B: Broker>(
    stage: &mut Stage<'_, B>,
    gateway: &Gateway,
    batch: usize,
    least: Option<f64>,
) -> Result<(), Error> {
    let what = match batch {
        1 => "one by one".to_owned(),
        more => format!("batches of {more}"),
    };
    let mut annotations = vec![("events.batch-size", batch.to_string())];
    if batch > 1 {
        annotations.push(("events.batch-linger", LINGER.to_owned()));
    }
    let versus = Versus { what: &what, least };
    let (served, calls) = (gateway.served(), gateway.calls());
    let runs = stage
        .versus(versus, |broker, function, topic| {
            gateway.deploy(&[function.to_owned()], topic, &annotations);
            Contender::connector(broker, &gateway.url)
        })
        .await?;
    if batch > 1 {
        let each = (gateway.served() - served) as f64 / (gateway.calls() - calls) as f64;
        let name = B::NAME;
        let remark = format!("{name}, {what}: a linger of {LINGER}; {each:.1} events a call.");
        stage.results.remark(remark);
    }
    if batch == 1 {
        let peak = runs.iter().map(|run| run.usage.peak).fold(0.0, f64::max);
        let what = format!("{}, 64 in flight, resident at most", B::NAME);
        let figure = format!("{peak:.1} MB");
        stage.results.bound(what, figure, peak, (MEMORY, " MB"));
    }
    Ok(())
}

/// So many functions that share deliveries: all take the same topic.
async fn shared<B: Broker>(
    stage: &mut Stage<'_, B>,
    gateway: &Gateway,
    functions: usize,
) -> Result<(), Error> {
    let topic = format!("shared-{functions}");
    let events = stage.size.shared / functions as u64;
    stage.broker.fill(&topic, events).await?;
    let functions: Vec<String> = (0..functions).map(|_| stage.name()).collect();
    gateway.deploy(&functions, &topic, &[]);
    let what = match functions.len() {
        1 => format!("1 function, {events} events"),
        many => format!("{many} functions, {events} events each"),
    };
    let backlog = Backlog {
        names: functions
            .iter()
            .map(|function| B::name_of(function, &topic))
            .collect(),
        topic,
        events,
        warm_up: Duration::ZERO,
        span: None,
    };
    once(stage, gateway, &what, &backlog).await
}

/// The whole backlog to its end.
async fn drained<B: Broker>(stage: &mut Stage<'_, B>, gateway: &Gateway) -> Result<(), Error> {
    let function = stage.name();
    gateway.deploy(std::slice::from_ref(&function), BACKLOG, &[]);
    let backlog = Backlog {
        span: None,
        ..stage.backlog(&[function])
    };
    let what = format!("a backlog of {}", stage.size.backlog);
    once(stage, gateway, &what, &backlog).await
}

/// A row of one run, with nothing beside it.
async fn once<B: Broker>(
    stage: &mut Stage<'_, B>,
    gateway: &Gateway,
    what: &str,
    backlog: &Backlog,
) -> Result<(), Error> {
    let connector = Contender::connector(&stage.broker, &gateway.url)?.named(what);
    let figures = backlog.run(&stage.broker, &connector).await?;
    let what = format!("{}, {what}", B::NAME);
    stage.results.figures(what, &[figures], None);
    Ok(())
}

/// A function that is down for a while: what its events take meanwhile, and whether all of them come after it.
async fn down<B: Broker>(stage: &mut Stage<'_, B>, gateway: &Gateway) -> Result<(), Error> {
    let (topic, function, events) = ("down", stage.name(), stage.size.shared);
    stage.broker.fill(topic, events).await?;
    gateway.deploy(std::slice::from_ref(&function), topic, &[]);
    let what = format!(
        "down for {} s, then {events} events",
        stage.size.down.as_secs()
    );
    eprintln!("{}, {what}", B::NAME);
    let served = gateway.served();
    gateway.down(true);
    let connector = Contender::connector(&stage.broker, &gateway.url)?;
    let mut process = connector.start()?;
    tokio::time::sleep(FILLED).await;
    let before = process.usage()?.resident;
    tokio::time::sleep(stage.size.down).await;
    let after = process.usage()?.resident;
    gateway.down(false);
    let up = Instant::now();
    let backlog = Backlog {
        topic: topic.to_owned(),
        names: vec![B::name_of(&function, topic)],
        events,
        warm_up: Duration::ZERO,
        span: None,
    };
    let mut figures = backlog.watch(&stage.broker, &what, &mut process).await?;
    figures.drained = Some(up.elapsed());
    let lost = events.saturating_sub(gateway.served() - served);
    let results = &mut stage.results;
    results.figures(format!("{}, {what}", B::NAME), &[figures], None);
    let grown = format!("{before:.1} → {after:.1} MB");
    let what = format!("{}, function down, resident", B::NAME);
    results.bound(what, grown, after / before, (FLAT, "×"));
    let what = format!("{}, function down, lost", B::NAME);
    results.bound(what, lost.to_string(), lost as f64, (0.0, ""));
    Ok(())
}
