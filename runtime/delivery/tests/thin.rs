//! The engine over the in-memory bus, end to end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::call::{Answer, Call, Outcome, Payload};
use openfaas_delivery::engine::{Control, Delivery, Ended, Engine};
use openfaas_delivery::memory::Bus;
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, ReplyTopics, Wiring};

#[derive(Clone, Default)]
struct Function(Arc<Mutex<HashMap<String, u32>>>);

impl Target for Function {
    async fn call(&self, call: Call) -> Outcome {
        let Payload::One(event) = &call.payload else {
            panic!()
        };
        let mut seen = self.0.lock().unwrap();
        let n = seen.entry(event.id().to_owned()).or_default();
        *n += 1;
        let answer = |status: StatusCode| {
            Outcome::Answered(Answer::new(
                status,
                HeaderMap::from_iter([(
                    "content-type".parse().unwrap(),
                    "text/plain".parse().unwrap(),
                )]),
                "",
            ))
        };
        match event.id() {
            "poison" => answer(StatusCode::UNPROCESSABLE_ENTITY),
            "third" if *n < 3 => answer(StatusCode::SERVICE_UNAVAILABLE),
            "never" => answer(StatusCode::INTERNAL_SERVER_ERROR),
            _ => {
                let reply = Event::new("payment", Data::text("ok"));
                let reply = reply.with_id(format!("r-{}", event.id())).with_source("/f");
                let (headers, body) = openfaas_cloudevents::http::encode_binary(&reply).unwrap();
                Outcome::Answered(Answer::new(StatusCode::OK, headers, body))
            }
        }
    }
    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

#[tokio::test]
async fn events_are_delivered_answered_retried_and_buried() {
    let bus = Bus::default();
    let engine = Engine::new(bus.clone(), Function::default(), ());
    let mut wiring = Wiring::new("order", "fn", ["orders"]);
    wiring.replies = ReplyTopics::parse("payments").unwrap();
    wiring.retry.min_wait = Duration::from_millis(10);
    wiring.retry.max_wait = Duration::from_millis(50);
    for id in ["a", "b", "third", "poison", "never"] {
        bus.publish_event(
            "orders",
            &Event::new("order", Data::text("x"))
                .with_id(id)
                .with_source("/s"),
            Format::Binary,
        )
        .unwrap();
    }
    let durable = wiring.durable("orders");
    let letters = wiring.dead_letters.clone();
    let control = Control::new();
    let run = engine.run(Delivery::to(wiring), &control);
    let watch = async {
        while bus.backlog(&durable) > 0 || bus.messages(&letters).len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.drain();
    };
    let (ended, ()) =
        tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(run, watch) })
            .await
            .unwrap();
    assert_eq!(ended, Ended::Drained);
    assert_eq!(bus.messages("payments").len(), 3);
    assert_eq!(bus.messages(&letters).len(), 2);
}
