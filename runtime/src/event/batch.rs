//! A batch of events, fanned out to the handler of one.

use std::{collections::HashMap, panic::AssertUnwindSafe, vec};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use openfaas_cloudevents::Event;
use openfaas_delivery::batch::{BatchAnswer, Entry};

use super::{
    Outcome,
    endpoint::Surroundings,
    one::{self, Came},
};
use crate::server::limit::Place;

/// How many events of a batch run side by side where `max_inflight` sets no limit.
const SIDE_BY_SIDE: usize = 64;

/// Events that run one after the other, with their places in the batch: those of one `partitionkey`, or a single one.
type Lane = Vec<(usize, Event)>;

/// Handles the events of a batch: those of one `partitionkey` one after the other, the rest side by side as far as the
/// limit has places. The batch's own call holds the first of them.
pub(super) async fn handle(around: &Surroundings<'_>, events: Vec<Event>) -> BatchAnswer {
    let mut results: Vec<Option<Entry>> = vec![None; events.len()];
    let mut waiting = lanes(events).into_iter();
    let mut running = FuturesUnordered::new();
    let mut own_place_is_free = true;
    loop {
        while running.len() < SIDE_BY_SIDE {
            let Some(place) = place(around, &mut own_place_is_free) else {
                break;
            };
            match waiting.next() {
                Some(lane) => running.push(run(around, lane, place)),
                None => break,
            }
        }
        let Some((entries, place)) = running.next().await else {
            break;
        };
        own_place_is_free |= matches!(place, Seat::Own);
        for (index, entry) in entries {
            results[index] = Some(entry);
        }
    }
    BatchAnswer {
        results: results
            .into_iter()
            .map(|entry| entry.unwrap_or_else(Entry::not_tried))
            .collect(),
    }
}

/// Where a lane runs.
enum Seat {
    /// In the place of the batch's call.
    Own,
    /// In one of its own, given back when it is dropped.
    Taken { _place: Place },
}

fn place(around: &Surroundings<'_>, own_is_free: &mut bool) -> Option<Seat> {
    if std::mem::take(own_is_free) {
        return Some(Seat::Own);
    }
    let place = around.shared.limit.try_take()?;
    Some(Seat::Taken { _place: place })
}

fn lanes(events: Vec<Event>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::with_capacity(events.len());
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for (index, event) in events.into_iter().enumerate() {
        let lane = event
            .partition_key()
            .map(|key| *by_key.entry(key.into_owned()).or_insert(lanes.len()));
        match lane.and_then(|lane| lanes.get_mut(lane)) {
            Some(lane) => lane.push((index, event)),
            None => lanes.push(vec![(index, event)]),
        }
    }
    lanes
}

async fn run(around: &Surroundings<'_>, lane: Lane, seat: Seat) -> (Vec<(usize, Entry)>, Seat) {
    let mut entries = Vec::with_capacity(lane.len());
    let mut held = false;
    for (index, event) in lane {
        let entry = match held {
            true => Entry::not_tried(),
            false => {
                let handling = AssertUnwindSafe(one::handle(around, event, Came::InABatch));
                handling
                    .catch_unwind()
                    .await
                    .map_or_else(|_| panicked(), entry)
            }
        };
        held |= entry.status >= 500;
        entries.push((index, entry));
    }
    (entries, seat)
}

fn entry(outcome: Outcome) -> Entry {
    match outcome {
        Ok(replies) => Entry::replied(&replies)
            .unwrap_or_else(|error| Entry::rejected(format!("the reply cannot be sent: {error}"))),
        Err(failure) if failure.is_retry() => Entry::retry(failure.retry_after(), failure.reason()),
        Err(failure) => Entry::rejected(failure.reason()),
    }
}

/// What a panic is answered with when an event comes alone.
fn panicked() -> Entry {
    Entry {
        error: Some("the handler panicked".to_owned()),
        ..Entry::new(500)
    }
}

#[cfg(test)]
mod tests {
    use openfaas_cloudevents::Data;

    use super::*;

    fn event(key: &str) -> Event {
        let event = Event::new("t", Data::absent());
        if key.is_empty() {
            event
        } else {
            event.with_extension("partitionkey", key)
        }
    }

    #[test]
    fn events_of_one_key_share_a_lane_and_others_have_one_each() {
        let events = ["a", "", "b", "a", "", "b", "a"].map(event).into();
        let lanes: Vec<Vec<usize>> = lanes(events)
            .into_iter()
            .map(|lane| lane.into_iter().map(|(index, _)| index).collect())
            .collect();
        assert_eq!(lanes, [vec![0, 3, 6], vec![1], vec![2, 5], vec![4]]);
    }
}
