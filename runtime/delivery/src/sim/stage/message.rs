//! What the publisher sends.

use std::sync::Arc;

use openfaas_cloudevents::{Data, Event};

use crate::broker::{Codec, Header, Publication};
use crate::memory::Bus;
use crate::sim::ledger::Serial;
use crate::sim::plan::{Form, Nature, Planned};
use crate::sim::world::World;
use crate::wiring::Format;

/// The message of a planned event.
pub(super) fn message(
    serial: Serial,
    planned: &Planned,
    topic: &Arc<str>,
    bus: &Bus<World>,
) -> Publication {
    let text = format!("{serial}/{}", "x".repeat(planned.padding));
    let plain = |headers| Publication {
        topic: Arc::clone(topic),
        dedup: None,
        key: None,
        headers,
        body: Some(text.clone().into()),
    };
    match planned.form {
        Form::Plain => return plain(vec![Header::new("content-type", "text/plain")]),
        Form::Broken => {
            return plain(vec![
                Header::new("ce-specversion", "1.0"),
                Header::new("ce-id", "1"),
            ]);
        }
        Form::Event | Form::Unwanted => {}
    }
    let ty = if planned.form == Form::Unwanted {
        "unwanted"
    } else {
        "wanted"
    };
    let event = Event::new(ty, Data::text(text.clone()))
        .with_id(&planned.id)
        .with_source("/s");
    let event = match &planned.key {
        Some(key) => event.with_extension("partitionkey", key.as_str()),
        None => event,
    };
    let event = if planned.nature == Nature::Endless {
        event.with_extension("hopcount", 32)
    } else {
        event
    };
    bus.encode(topic, &event, Format::Binary)
        .unwrap_or_else(|_| plain(Vec::new()))
}
