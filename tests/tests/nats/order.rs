//! Two whole engines on one ordered durable: whatever becomes of the first, first deliveries keep their order.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use openfaas_delivery::broker::{Broker, Codec};
use openfaas_delivery::call::{Answer, Call, Outcome, Payload};
use openfaas_delivery::engine::{Control, Delivery, Engine};
use openfaas_delivery::nats::Nats;
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, Wiring};
use openfaas_tests::nats::Look;

use crate::support::{connect, until, with_stream};

/// Whom it was called by, and with what.
type Calls = Arc<Mutex<Vec<(&'static str, String)>>>;

/// A function as one engine calls it.
#[derive(Clone)]
struct Function {
    caller: &'static str,
    calls: Calls,
}

impl Target for Function {
    async fn call(&self, call: Call) -> Outcome {
        let Payload::One(event) = &call.payload else {
            panic!("nobody asked for batches")
        };
        let called = (self.caller, event.id().to_owned());
        self.calls.lock().unwrap().push(called);
        tokio::time::sleep(Duration::from_millis(20)).await;
        Outcome::Answered(Answer::new(StatusCode::NO_CONTENT, HeaderMap::new(), ""))
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

const KEYS: [&str; 3] = ["a", "b", "c"];
const EACH: usize = 30;

fn wiring() -> Wiring {
    let mut wiring = Wiring::new("function", "tests", ["orders"]);
    wiring.window = 20;
    wiring
}

async fn prepared() -> (openfaas_tests::nats::Server, Look, Calls) {
    let (server, look) = with_stream("orders").await;
    look.stream(wiring().dead_letter_topic()).await;
    let broker = connect(&server).await;
    for number in 0..EACH {
        for key in KEYS {
            let event =
                openfaas_cloudevents::Event::new("t", openfaas_cloudevents::Data::text("x"))
                    .with_id(format!("{key}{number:03}"))
                    .with_source("/tests")
                    .with_extension("partitionkey", key);
            let publication = broker
                .encode(&"orders".into(), &event, Format::Binary)
                .unwrap();
            until(async || broker.publish(&publication).await.is_ok()).await;
        }
    }
    (server, look, Calls::default())
}

/// Delivers until it is dropped.
async fn deliver(broker: Nats, caller: &'static str, calls: Calls) {
    let engine = Engine::new(broker, Function { caller, calls }, ());
    engine.run(Delivery::to(wiring()), &Control::new()).await;
}

async fn all_settled(look: &Look) {
    let durable = wiring().durable("orders");
    until(async || {
        let info = look.durable("orders", &durable).await;
        info.is_some_and(|info| info.num_pending == 0 && info.num_ack_pending == 0)
    })
    .await;
}

/// The first calls with each event, key by key, in the order of their ids.
fn assert_order(calls: &Calls) {
    let calls = calls.lock().unwrap();
    for key in KEYS {
        let mut firsts: Vec<&str> = Vec::new();
        for (_, id) in calls.iter().filter(|(_, id)| id.starts_with(key)) {
            if !firsts.contains(&id.as_str()) {
                firsts.push(id);
            }
        }
        assert_eq!(firsts.len(), EACH, "{calls:?}");
        assert!(firsts.is_sorted(), "{firsts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_dies_leaves_order_behind() {
    let (server, look, calls) = prepared().await;
    for owner in ["first", "second"] {
        let begun = calls.lock().unwrap().len();
        tokio::select! {
            () = deliver(connect(&server).await, owner, Arc::clone(&calls)) => panic!("nobody said drain"),
            () = until(async || calls.lock().unwrap().len() > begun + 15) => {}
        }
    }
    tokio::select! {
        () = deliver(connect(&server).await, "third", Arc::clone(&calls)) => panic!("nobody said drain"),
        () = all_settled(&look) => {}
    }
    assert_order(&calls);
}

/// The first stands still with all its tasks, as under SIGSTOP, and goes on when the second has taken over.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_paused_disturbs_no_order() {
    let (server, look, calls) = prepared().await;
    let (go_on, goes_on) = mpsc::channel::<()>();
    let config = crate::support::config(&server);
    let paused = {
        let calls = Arc::clone(&calls);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let broker = Nats::connect(&config).await.unwrap();
                let seen = Arc::clone(&calls);
                let pause = async move {
                    until(async || seen.lock().unwrap().len() > 15).await;
                    goes_on.recv().unwrap();
                    // It has gone on when it stands by again, with nothing to do.
                    tokio::time::sleep(crate::support::ACK_WAIT).await;
                };
                tokio::select! {
                    () = deliver(broker, "paused", calls) => panic!("nobody said drain"),
                    () = pause => {}
                }
            });
        })
    };
    let second = deliver(connect(&server).await, "second", Arc::clone(&calls));
    let story = async {
        until(async || {
            let calls = calls.lock().unwrap();
            calls.iter().any(|(caller, _)| *caller == "second")
        })
        .await;
        let before = calls.lock().unwrap().len();
        go_on.send(()).unwrap();
        all_settled(&look).await;
        let calls = calls.lock().unwrap();
        let zombie = calls[before..]
            .iter()
            .filter(|(caller, _)| *caller == "paused");
        assert_eq!(zombie.count(), 0, "{calls:?}");
    };
    tokio::select! {
        () = second => panic!("nobody said drain"),
        () = story => {}
    }
    tokio::task::spawn_blocking(move || paused.join().unwrap())
        .await
        .unwrap();
    assert_order(&calls);
}
