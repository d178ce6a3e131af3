//! Deliveries follow what is deployed.

use std::sync::Arc;

use openfaas_delivery::{
    engine::{self, Delivery, Engine, Wanted},
    memory,
    metrics::DeliveryMetrics,
    target::http::HttpTarget,
};

use super::Trail;
use crate::{process::Functions, stack};

/// What delivers in a run.
type LocalEngine = Engine<memory::Bus, HttpTarget, Arc<(Arc<Trail>, DeliveryMetrics)>>;

/// Delivers to every function with wiring that is deployed until `stop`, then drains.
pub(super) async fn follow(
    engine: LocalEngine,
    functions: Functions,
    stop: impl Future<Output = ()>,
) {
    let mut deliveries = engine::Deliveries::new(engine);
    let mut changes = functions.changes();
    tokio::pin!(stop);
    loop {
        changes.mark_unchanged();
        deliveries.fit(wanted(&functions));
        tokio::select! {
            biased;
            () = &mut stop => break,
            changed = changes.changed() => if changed.is_err() { break },
        }
    }
    deliveries.drain().await;
}

fn wanted(functions: &Functions) -> impl Iterator<Item = Wanted> {
    functions.all().into_iter().filter_map(|function| {
        let desired = function.desired();
        let wiring = stack::wiring(&desired.spec).ok()??;
        Some(Wanted {
            delivery: Delivery::to(wiring),
            image: desired.generation.to_string(),
        })
    })
}
