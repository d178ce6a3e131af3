//! Every outcome of a handler as an HTTP answer, and its identity.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::{Duration, SystemTime};

use openfaas_cloudevents::Limits;
use openfaas_delivery::answer::{Rules, Verdict};
use openfaas_delivery::call::{Answer, Outcome};
use openfaas_delivery::wiring::Codes;
use openfaas_runtime::{
    BoxError, Context, Data, Event, Failure, Function, State, axum::http::Request,
    axum::http::StatusCode, testing,
};
use serde_json::{Value, json};

use crate::help::{Order, config, header, order};

#[tokio::test]
async fn nothing_none_and_no_events_acknowledge() {
    for function in [
        Function::event(async |_: Event<Order>| ()),
        Function::event(async |_: Event<Order>| None::<Event<Order>>),
        Function::event(async |_: Event<Order>| Vec::<Event<Order>>::new()),
        Function::event(async |_: Event<Order>| Ok::<_, Failure>(())),
    ] {
        let reply = testing::call(function, order(3)).await;
        assert_eq!(reply.status(), StatusCode::NO_CONTENT);
        assert!(reply.body().is_empty());
    }
}

#[tokio::test]
async fn one_reply_is_a_binary_event_that_names_its_cause() {
    let pay = async |order: Event<Order>| {
        Event::new("payment.requested", json!({ "amount": order.data().total }))
    };
    let incoming = order(3)
        .with_extension("partitionkey", "customer-7")
        .with_extension("hopcount", 4);
    let reply = testing::call(Function::event(pay), incoming.clone()).await;
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(header(&reply, "content-type"), Some("application/json"));
    let event = &reply.events::<Value>().unwrap()[0];
    assert_eq!(event.ty(), "payment.requested");
    assert_eq!(event.data(), &json!({ "amount": 3 }));
    assert_eq!(event.source(), "/function/function");
    assert_eq!(event.text("causationid").as_deref(), Some("A-17"));
    assert_eq!(event.text("correlationid").as_deref(), Some("A-17"));
    assert_eq!(event.text("hopcount").as_deref(), Some("5"));
    assert_eq!(event.partition_key().as_deref(), Some("customer-7"));

    let again = testing::call(Function::event(pay), incoming).await;
    assert_eq!(
        again.events::<Value>().unwrap()[0].id(),
        event.id(),
        "a deterministic id"
    );
}

#[tokio::test]
async fn several_replies_are_a_batch() {
    let split = async |_: Event<Data>| vec![Event::new("a", 1), Event::new("b", 2)];
    let reply = testing::call(Function::event(split), order(3)).await;
    assert_eq!(reply.status(), StatusCode::OK);
    assert!(
        header(&reply, "content-type")
            .unwrap()
            .starts_with("application/cloudevents-batch+json")
    );
    let types: Vec<String> = reply
        .events::<u32>()
        .unwrap()
        .iter()
        .map(|event| event.ty().to_owned())
        .collect();
    assert_eq!(types, ["a", "b"]);
}

#[tokio::test]
async fn a_retry_is_503_with_retry_after_and_unmarked() {
    let busy = async |_: Event<Order>| -> Result<(), Failure> {
        Err(Failure::retry()
            .after(Duration::from_millis(1500))
            .because("the bank is busy"))
    };
    let reply = testing::call(Function::event(busy), order(3)).await;
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&reply, "retry-after"), Some("2"));
    assert_eq!(header(&reply, "x-delivery-wait"), None);
    assert_eq!(header(&reply, "x-openfaas-internal"), None);
    assert_eq!(reply.text(), "the bank is busy");
}

/// The wait that delivery takes from what a function answers, where `codes` makes no retry of a 503.
async fn wait_of(failure: fn() -> Failure) -> Option<Duration> {
    let fails = move |_: Event<Order>| std::future::ready(Err::<(), _>(failure()));
    let reply = testing::call(Function::event(fails), order(3)).await;
    assert!(header(&reply, "retry-after").is_some());
    let answer = Answer::new(
        reply.status(),
        reply.headers().clone(),
        reply.body().to_vec(),
    );
    let rules = Rules {
        codes: &Codes::parse("404").unwrap(),
        replies: false,
        limits: &Limits::default(),
    };
    match Verdict::of(&Outcome::Answered(answer), &rules, SystemTime::now()) {
        Verdict::Retry { after, .. } => after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn delivery_knows_a_retry_and_whether_it_names_a_time() {
    let no_time = || Failure::retry();
    let at_once = || Failure::retry().after(Duration::ZERO);
    let later = || Failure::retry().after(Duration::from_secs(7));
    assert_eq!(wait_of(no_time).await, None);
    assert_eq!(wait_of(at_once).await, Some(Duration::ZERO));
    assert_eq!(wait_of(later).await, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn any_other_error_is_a_retry() {
    let boxed = async |_: Event<Order>| -> Result<(), BoxError> { Err("no route to bank".into()) };
    let parsed = async |_: Event<Order>| -> Result<(), Failure> {
        "x".parse::<u32>()?;
        Ok(())
    };
    for (function, reason) in [
        (Function::event(boxed), "no route to bank"),
        (Function::event(parsed), "invalid digit found in string"),
    ] {
        let reply = testing::call(function, order(3)).await;
        assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.text(), reason);
    }
}

#[tokio::test]
async fn a_rejection_is_422_with_its_reason() {
    let strict =
        async |_: Event<Order>| -> Result<(), Failure> { Err(Failure::reject("no lines")) };
    let reply = testing::call(Function::event(strict), order(3)).await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "no lines")
    );
}

#[tokio::test]
async fn data_of_another_shape_is_422_that_says_where() {
    let function = Function::event(async |_: Event<Order>| ());
    let reply = testing::call(
        function,
        Event::new("order.placed", json!({ "total": "much" })),
    )
    .await;
    assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reply.text().contains("total"), "{}", reply.text());
}

#[tokio::test]
async fn a_chain_that_is_too_long_ends_as_a_rejection() {
    let echo = Function::event(async |event: Event<Value>| Event::new("again", event.into_data()));
    let reply = testing::call(echo, order(1).with_extension("hopcount", 32)).await;
    assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reply.text().contains("33"), "{}", reply.text());
}

#[tokio::test]
async fn events_max_hops_says_how_long_a_chain_may_be() {
    for (limit, hops, status) in [
        ("100", 32, StatusCode::OK),
        ("100", 99, StatusCode::OK),
        ("100", 100, StatusCode::UNPROCESSABLE_ENTITY),
        ("2", 2, StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let echo = async |event: Event<Value>| Event::new("again", event.into_data());
        let function = Function::event(echo).config(config(&[("events_max_hops", limit)]));
        let reply = testing::call(function, order(1).with_extension("hopcount", hops)).await;
        assert_eq!(
            reply.status(),
            status,
            "{hops} of {limit}: {}",
            reply.text()
        );
    }
}

#[tokio::test]
async fn state_is_what_was_given_or_made() {
    async fn count(
        State(seen): State<Arc<AtomicUsize>>,
        _: Event<Data>,
        context: Context,
    ) -> Result<(), Failure> {
        assert_eq!(context.attempt(), 3);
        seen.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    let seen = Arc::new(AtomicUsize::new(0));
    let attempt = || {
        Request::post("/")
            .header("x-delivery-attempt", "3")
            .body("")
            .unwrap()
    };
    testing::call(Function::event(count).state(seen.clone()), attempt()).await;
    let made = seen.clone();
    let init = async move || Ok::<_, BoxError>(made);
    testing::call(Function::event(count).init(init), attempt()).await;
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}
