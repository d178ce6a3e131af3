//! `bench door`: a function that takes its own topic and does nothing, beside the raw client.

use crate::broker::Broker;
use crate::contender::Contender;
use crate::error::Error;
use crate::kafka::Kafka;
use crate::nats::Nats;
use crate::results::Results;
use crate::size::Size;
use crate::stage::{Stage, Versus};

/// What a door is to reach of the raw client.
const LEAST: f64 = 0.7;

/// Runs every row over both brokers.
pub(crate) async fn run(size: &Size) -> Result<Results, Error> {
    let mut results = Results::new(format!(
        "A no-op function that takes its own topic: events of 1 KiB, {} waiting; request log off, no collector",
        size.backlog
    ));
    over::<Nats>(size, &mut results).await?;
    over::<Kafka>(size, &mut results).await?;
    Ok(results)
}

async fn over<B: Broker>(size: &Size, results: &mut Results) -> Result<(), Error> {
    let mut stage = Stage::<B>::set(size, results).await?;
    let one = Versus {
        what: "door, one by one",
        least: Some(LEAST),
    };
    stage.versus(one, Contender::door).await?;
    let batches = Versus {
        what: "door, batches of 100, a linger of 10 ms",
        least: None,
    };
    stage
        .versus(batches, |broker, function, topic| {
            let door = Contender::door(broker, function, topic)?;
            let door = door.with("events_batch_size", "100");
            Ok(door.with("events_batch_linger", "10ms"))
        })
        .await?;
    Ok(())
}
