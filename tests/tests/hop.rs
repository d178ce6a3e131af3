//! One hop over HTTP: an event as a delivery engine sends it, through a function, and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::{Data, Event, Limits};
use openfaas_delivery::answer::{Rules, Verdict};
use openfaas_delivery::call::{Call, Payload};
use openfaas_delivery::target::{Target, http::HttpTarget};
use openfaas_delivery::wiring::{Codes, Format};
use openfaas_runtime::{Function, testing};

/// An event of so many extension attributes.
fn event(attributes: usize) -> Event {
    let event = Event::new("order.placed", Data::json(r#"{"total":12.50}"#))
        .with_id("A-17")
        .with_source("/shop");
    (0..attributes).fold(event, |event, number| {
        event.with_extension(format!("extension{number}"), "of a dozen letters")
    })
}

/// What comes back of an event through a function that answers with what it got.
async fn echoed(event: Event) -> Event {
    let function = Function::event(async |event: Event| event.with_id("reply"));
    let running = testing::start(function).await;
    let url = format!("http://{}", running.address());
    let target = HttpTarget::direct(move |_, _| Some(url.clone()));
    let outcome = target
        .call(Call {
            function: "echo".into(),
            namespace: "".into(),
            topic: "orders".into(),
            connector: "openfaas-local".into(),
            call_id: "call-1".into(),
            payload: Payload::One(Arc::new(event)),
            format: Format::Binary,
            attempt: Some(1),
            timeout: Duration::from_secs(60),
            headers: Default::default(),
            trace: None,
        })
        .await;
    let rules = Rules {
        codes: &Codes::default(),
        replies: true,
        limits: &Limits::default(),
    };
    match Verdict::of(&outcome, &rules, SystemTime::UNIX_EPOCH) {
        Verdict::Done { mut replies } if replies.len() == 1 => replies.remove(0),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_of_any_number_of_attributes_comes_and_goes() {
    // More than a thousand of them are more than 64 KiB.
    for count in [3, 60, 70, 120, 1000] {
        let reply = echoed(event(count)).await;
        let number = count - 1;
        let last = reply.text(&format!("extension{number}"));
        assert_eq!(last.as_deref(), Some("of a dozen letters"), "{count}");
        assert_eq!(reply.data().bytes(), r#"{"total":12.50}"#, "{count}");
    }
}
