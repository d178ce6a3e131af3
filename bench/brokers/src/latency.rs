//! From publish to settle, at a fixed rate far below what the contender can do.

use std::time::Duration;

use crate::backlog::Backlog;
use crate::broker::{Broker, PATIENCE, Pace};
use crate::contender::Contender;
use crate::error::Error;
use crate::size::Size;

/// Events that are settled before any is measured.
const FIRST: u64 = 600;

/// What part of its full rate a contender is given.
pub(crate) const SHARE: f64 = 1.0 / 3.0;

/// In seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    /// At this rate.
    pub(crate) rate: f64,
    /// Half took no longer.
    pub(crate) p50: f64,
    /// 99 of 100 took no longer.
    pub(crate) p99: f64,
}

/// Measures one contender that takes `topic` under `name`; the topic is made here.
pub(crate) async fn measure<B: Broker>(
    broker: &B,
    size: &Size,
    contender: &Contender,
    (topic, name): (&str, &str),
    rate: f64,
) -> Result<Latency, Error> {
    eprintln!("{}, {}, {rate:.0} events a second", B::NAME, contender.name);
    broker.fill(topic, FIRST).await?;
    let mut process = contender.start()?;
    let first = Backlog {
        topic: topic.to_owned(),
        names: vec![name.to_owned()],
        events: FIRST,
        warm_up: Duration::ZERO,
        span: None,
    };
    first.watch(broker, &contender.name, &mut process).await?;
    let pace = Pace {
        rate,
        span: size.latency,
        first: FIRST,
    };
    let mut taken = broker.latencies(topic, name, pace).await?;
    // The slowest of all are those that never came: without them no figure is true.
    if (taken.len() as u64) < pace.events() {
        return Err(Error::Late {
            name: contender.name.clone(),
            settled: taken.len() as u64,
            of: pace.events(),
            within: pace.span + PATIENCE,
            said: process.last_words(),
        });
    }
    taken.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (taken.len() as f64 * share) as usize;
        taken.get(place).copied().unwrap_or(f64::NAN)
    };
    Ok(Latency {
        rate,
        p50: at(0.5),
        p99: at(0.99),
    })
}
