//! Events that a door brings: they are read already.

use std::sync::Arc;

use openfaas_cloudevents::{Error, Event};
use openfaas_delivery::{
    call::{Call as Delivery, Payload},
    wrap::Incoming,
};

use super::{
    answer,
    endpoint::{Handle, Surroundings},
};
use crate::{call::Call, endpoint::Answering};

/// From events to the answer, as it would be to the request that carries them.
pub(super) fn deliver(handler: Arc<dyn Handle>, delivery: &Delivery) -> Answering {
    let around = Call::shared().zip(Call::current());
    let (payload, attempt) = (delivery.payload.clone(), delivery.attempt);
    Box::pin(async move {
        let Some((shared, context)) = around else {
            return answer::outside();
        };
        let surroundings = Surroundings {
            handler: &*handler,
            context: match attempt {
                None | Some(1) => context,
                Some(attempt) => context.with_attempt(attempt),
            },
            shared,
        };
        match within(surroundings.most(), &payload) {
            Ok(()) => surroundings.handle(incoming(payload)).await,
            Err(error) => answer::refused(&error),
        }
    })
}

/// The function's own limit holds for each event's data.
fn within(most: usize, payload: &Payload) -> Result<(), Error> {
    let size = |event: &Arc<Event>| event.data().bytes().len();
    match payload.events().iter().map(size).max() {
        Some(size) if size > most => Err(Error::TooLarge {
            what: "an event's data (bytes)",
            size,
            limit: most,
        }),
        _ => Ok(()),
    }
}

fn incoming(payload: Payload) -> Incoming {
    match payload {
        Payload::One(event) => Incoming::Event(Arc::unwrap_or_clone(event)),
        Payload::Batch(events) => {
            Incoming::Batch(events.into_iter().map(Arc::unwrap_or_clone).collect())
        }
    }
}
