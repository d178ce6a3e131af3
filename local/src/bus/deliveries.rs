//! Deliveries follow what is deployed.

use std::{collections::BTreeSet, sync::Arc};

use openfaas_delivery::{
    broker::Broker,
    engine::{self, Delivery, Ended, Engine, Wanted},
    metrics::DeliveryMetrics,
    target::http::HttpTarget,
    wiring::Wiring,
};
use tokio::sync::mpsc::unbounded_channel;

use super::{Bus, Trail};
use crate::stack;

/// Who sees what is delivered in a run.
pub(super) type Seen = Arc<(Arc<Trail>, DeliveryMetrics)>;

/// Delivers to every function with wiring that is deployed until `stop`, then drains.
pub(super) async fn follow<B: Broker>(
    engine: Engine<B, HttpTarget, Seen>,
    bus: Bus,
    stop: impl Future<Output = ()>,
) {
    let (told, mut ended) = unbounded_channel();
    let mut deliveries = engine::Deliveries::new(engine).telling(told);
    let mut changes = bus.functions.changes();
    changes.mark_changed();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            changed = changes.changed() => match changed {
                Ok(()) => {
                    let wanted: Vec<_> = wanted(&bus).collect();
                    for Wanted { delivery, .. } in &wanted {
                        bus.make(&delivery.wiring).await;
                    }
                    deliveries.fit(wanted);
                }
                Err(_) => break,
            },
            Some((wiring, how)) = ended.recv() => over(&bus, &wiring, how),
        }
    }
    let cut = deliveries.drain().await;
    if cut > 0 {
        let console = &bus.functions.host.console;
        console.line(&format!("{cut} events took too long to drain and are lost"));
    }
}

/// After a delivery has ended: nothing waits any more for a function that is deployed with other topics now.
fn over(bus: &Bus, wiring: &Wiring, how: Ended) {
    if let Ended::Cut(inputs) = how {
        let said = format!("{inputs} of its events took too long and were cut");
        bus.functions.host.console.note(&wiring.function, &said);
    }
    let durables = |wiring: &Wiring| -> BTreeSet<String> {
        let topics = wiring.topics.iter();
        topics.map(|topic| wiring.durable(topic)).collect()
    };
    let now = wanted(bus)
        .map(|wanted| wanted.delivery.wiring)
        .find(|now| now.function == wiring.function);
    // One that is removed may be deployed again: what is published until then waits for it.
    let Some(now) = now else { return };
    for gone in durables(wiring).difference(&durables(&now)) {
        bus.topics.forget(gone);
    }
}

/// The functions that the runner delivers to.
fn wanted(bus: &Bus) -> impl Iterator<Item = Wanted> {
    bus.functions.all().into_iter().filter_map(|function| {
        let desired = function.desired();
        let wiring = stack::wiring(&desired.spec).ok()??;
        bus.door(&desired.spec).is_none().then(|| Wanted {
            delivery: Delivery::to(wiring),
            image: desired.generation.to_string(),
        })
    })
}
