//! Deliveries follow the functions there are.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::call::{Answer, Call, Outcome};
use openfaas_delivery::engine::{Deliveries, Delivery, Engine, Wanted};
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::observe::{Observation, Observer, State, What};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, Wiring};

/// No wait takes longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A function that notes the ids it was called with; one event kills its owner.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Target for Notes {
    async fn call(&self, call: Call) -> Outcome {
        let id = call.payload.events()[0].id().to_owned();
        let fresh = {
            let mut seen = self.0.lock().unwrap();
            let fresh = !seen.contains(&id);
            seen.push(id.clone());
            fresh
        };
        assert!(
            id != "panic" || !fresh,
            "a mistake in the owner's own process"
        );
        Outcome::Answered(Answer::new(StatusCode::NO_CONTENT, HeaderMap::new(), ""))
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// Counts the drains.
#[derive(Clone, Default)]
struct Drains(Arc<Mutex<Vec<String>>>);

impl Observer for Drains {
    fn observe(&self, observation: &Observation<'_>) {
        if observation.what == What::State(State::Draining) {
            self.0.lock().unwrap().push(observation.topic.to_owned());
        }
    }
}

fn wanted(function: &str, topic: &str) -> Wanted {
    Wanted {
        delivery: Delivery::to(Wiring::new(function, "fn", [topic.to_owned()])),
        image: "one".to_owned(),
    }
}

fn publish(bus: &Bus, topic: &str, id: &str) {
    let event = Event::new("test", Data::absent())
        .with_id(id)
        .with_source("/test");
    bus.publish_event(topic, &event, Format::Binary).unwrap();
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(what);
}

fn begin() -> (Bus, Notes, Drains, Deliveries<Bus, Notes, Drains>) {
    let limits = Limits {
        ack_wait: Duration::from_millis(500),
        ..Limits::default()
    };
    let (bus, notes, drains) = (Bus::new(limits), Notes::default(), Drains::default());
    let engine = Engine::new(bus.clone(), notes.clone(), drains.clone());
    (bus, notes, drains, Deliveries::new(engine))
}

#[tokio::test]
async fn what_is_wired_in_another_way_is_drained_and_begun_anew() {
    let (bus, notes, drains, mut deliveries) = begin();
    let saw = |id: &str| notes.0.lock().unwrap().iter().any(|seen| seen == id);
    deliveries.fit([wanted("order", "orders"), wanted("bill", "bills")]);
    publish(&bus, "orders", "a");
    publish(&bus, "bills", "b");
    until("both are delivered to", || saw("a") && saw("b")).await;

    deliveries.fit([wanted("order", "returns"), wanted("bill", "bills")]);
    publish(&bus, "returns", "c");
    publish(&bus, "bills", "d");
    until("the new topic and the old function", || {
        saw("c") && saw("d")
    })
    .await;
    let drained = || drains.0.lock().unwrap().clone();
    until("the old topic is drained", || drained() == ["orders"]).await;

    deliveries.fit([wanted("bill", "bills")]);
    until("a function that is gone is drained", || {
        drained() == ["orders", "returns"]
    })
    .await;
    assert_eq!(deliveries.drain().await, 0);
    assert_eq!(drained(), ["orders", "returns", "bills"]);
    publish(&bus, "bills", "e");
    assert_eq!(
        bus.backlog(&wanted("bill", "bills").delivery.wiring.durable("bills")),
        Some(1)
    );
    assert!(!saw("e"));
}

#[tokio::test]
async fn a_delivery_that_panicked_begins_again() {
    let (bus, notes, _, mut deliveries) = begin();
    deliveries.fit([wanted("order", "orders")]);
    publish(&bus, "orders", "panic");
    let count = || notes.0.lock().unwrap().len();
    until("the owner has panicked", || count() == 1).await;
    let waiting = async {
        while count() < 2 {
            deliveries.fit([wanted("order", "orders")]);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it comes again");
    assert_eq!(deliveries.drain().await, 0);
}
