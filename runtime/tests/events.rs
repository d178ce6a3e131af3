//! What becomes of events: every outcome as an HTTP answer, batches, wrapping, identity.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use openfaas_cloudevents::Limits;
use openfaas_delivery::{
    answer::{Rules, Verdict},
    call::{Answer, Outcome},
    wiring::Codes,
};
use openfaas_runtime::{
    BoxError, Config, Context, Data, Event, Failure, Function, Reply, State,
    axum::http::{Method, Request, StatusCode},
    testing,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    total: u32,
}

fn order(total: u32) -> Event<Value> {
    Event::new("order.placed", json!({ "total": total }))
        .with_id("A-17")
        .with_source("/shop")
}

fn config(pairs: &[(&str, &str)]) -> Config {
    let lookup = |key: &str| {
        pairs
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_lookup(lookup).unwrap()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

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
async fn two_media_types_that_differ_are_refused() {
    for (second, status) in [
        ("text/plain", StatusCode::NO_CONTENT),
        ("application/cloudevents+json", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::post("/")
            .header("content-type", "text/plain")
            .header("content-type", second)
            .body("hello")
            .unwrap();
        let reply = testing::call(Function::event(async |_: Event<Data>| ()), request).await;
        assert_eq!(reply.status(), status, "{second}: {}", reply.text());
    }
}

#[tokio::test]
async fn what_is_no_cloudevent_is_wrapped_and_its_body_kept() {
    let echo = async |event: Event<Data>, context: Context| {
        assert_eq!(event.ty(), "openfaas.invocation");
        assert_eq!(event.source(), "/function/pay");
        assert_eq!(event.id(), context.call_id());
        Event::new("echo", event.into_data())
    };
    let function = Function::event(echo).config(config(&[("OPENFAAS_NAME", "pay")]));
    let request = Request::post("/")
        .header("content-type", "text/plain")
        .header("x-call-id", "call-9")
        .body("hello")
        .unwrap();
    let reply = testing::start(function).await.call(request).await;
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (StatusCode::OK, "hello")
    );
    assert_eq!(header(&reply, "ce-causationid"), Some("call-9"));
}

#[tokio::test]
async fn a_broken_cloudevent_is_400_and_never_wrapped() {
    let function = Function::event(async |_: Event<Data>| ());
    let request = Request::post("/")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .body("{}")
        .unwrap();
    let reply = testing::call(function, request).await;
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert!(
        reply.text().contains("`source`") || reply.text().contains("`type`"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn a_body_over_max_body_is_413() {
    let function = Function::event(async |_: Event<Data>| ()).config(config(&[("max_body", "10")]));
    let running = testing::start(function).await;
    let reply = running.call("12345678901").await;
    assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        header(&reply, "x-openfaas-internal"),
        Some("openfaas-runtime")
    );
    assert_eq!(
        running.call("1234567890").await.status(),
        StatusCode::NO_CONTENT
    );
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

fn results(reply: &Reply) -> Vec<u64> {
    assert_eq!(reply.status(), StatusCode::MULTI_STATUS, "{}", reply.text());
    let answer: Value = reply.json().unwrap();
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["status"].as_u64().unwrap())
        .collect()
}

fn numbered(numbers: &[(u32, &str)]) -> Vec<Event<u32>> {
    let event = |(index, (number, key)): (usize, &(u32, &str))| {
        let event = Event::new("number", *number)
            .with_id(index.to_string())
            .with_source("/test");
        if key.is_empty() {
            event
        } else {
            event.with_extension("partitionkey", *key)
        }
    };
    numbers.iter().enumerate().map(event).collect()
}

/// 1 is done, 2 replies, 3 is to be retried, 4 is rejected, 5 panics.
async fn judge(event: Event<u32>) -> Result<Option<Event<u32>>, Failure> {
    match event.data() {
        1 => Ok(None),
        2 => Ok(Some(Event::new("doubled", 4))),
        3 => Err(Failure::retry()
            .after(Duration::from_secs(7))
            .because("later")),
        4 => Err(Failure::reject("never")),
        _ => panic!("as planned"),
    }
}

#[tokio::test]
async fn a_batch_is_answered_event_by_event() {
    let reply = testing::call(
        Function::event(judge),
        numbered(&[(1, ""), (2, ""), (3, ""), (4, ""), (5, "")]),
    )
    .await;
    assert_eq!(results(&reply), [204, 200, 503, 422, 500]);
    let answer: Value = reply.json().unwrap();
    let result = |index: usize| &answer["results"][index];
    assert_eq!(result(1)["events"][0]["data"], 4);
    assert_eq!(result(1)["events"][0]["causationid"], "1");
    assert_eq!(result(2)["retryAfter"], 7.0);
    assert_eq!(result(2)["error"], "later");
    assert_eq!(result(3)["error"], "never");
}

#[tokio::test]
async fn behind_a_retry_its_key_waits_and_a_rejection_holds_nobody() {
    let events = numbered(&[
        (3, "a"),
        (1, "a"),
        (4, "b"),
        (1, "b"),
        (1, ""),
        (5, "c"),
        (1, "c"),
    ]);
    let reply = testing::call(Function::event(judge), events).await;
    assert_eq!(results(&reply), [503, 424, 422, 204, 204, 500, 424]);
}

#[tokio::test]
async fn an_empty_batch_has_an_empty_answer() {
    let reply = testing::call(Function::event(judge), Vec::<Event<u32>>::new()).await;
    assert_eq!(results(&reply), [] as [u64; 0]);
}

#[tokio::test]
async fn a_batch_runs_side_by_side_up_to_the_limit_and_in_order_within_a_key() {
    #[derive(Clone, Default)]
    struct Seen(Arc<std::sync::Mutex<(usize, usize, Vec<u32>)>>);
    async fn watch(State(seen): State<Seen>, event: Event<u32>) {
        {
            let mut seen = seen.0.lock().unwrap();
            seen.0 += 1;
            seen.1 = seen.1.max(seen.0);
            seen.2.push(*event.data());
        }
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        seen.0.lock().unwrap().0 -= 1;
    }
    for (limit, most) in [("1", 1), ("3", 3), ("0", 4)] {
        let seen = Seen::default();
        let function = Function::event(watch)
            .state(seen.clone())
            .config(config(&[("max_inflight", limit)]));
        let events = numbered(&[(1, "k"), (10, ""), (2, "k"), (20, ""), (3, "k"), (30, "")]);
        let running = testing::start(function).await;
        assert_eq!(results(&running.call(events).await), [204; 6]);
        let seen = seen.0.lock().unwrap();
        assert_eq!(seen.1, most, "max_inflight={limit}");
        let of_key: Vec<u32> = seen
            .2
            .iter()
            .copied()
            .filter(|number| *number < 10)
            .collect();
        assert_eq!(of_key, [1, 2, 3]);
    }
}

#[tokio::test]
async fn what_is_larger_than_an_event_or_a_batch_may_be_is_413_with_a_sentence() {
    let running = testing::start(Function::event(async |_: Event<Data>| ())).await;
    let large = || order(1).with_extension("note", "x".repeat(64 << 10));
    let structured = |name: &str, body: String| {
        Request::post("/")
            .header("content-type", format!("application/{name}"))
            .body(body)
            .unwrap()
    };
    let json = serde_json::to_string(&json!({
        "specversion": "1.0", "id": "1", "source": "/", "type": "t", "note": "x".repeat(64 << 10),
    }));
    let json = json.unwrap();
    let attributes = "attributes (bytes) of ";
    for (reply, sentence) in [
        (running.call(large()).await, attributes.to_owned()),
        (
            running
                .call(structured("cloudevents+json", json.clone()))
                .await,
            attributes.to_owned(),
        ),
        (
            running
                .call(structured("cloudevents-batch+json", format!("[{json}]")))
                .await,
            format!("event 0 of the batch: {attributes}"),
        ),
        (
            running.call(vec![order(1); 10_001]).await,
            "a batch (events) of 10001 is over the limit of 10000".to_owned(),
        ),
    ] {
        assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE, "{sentence}");
        assert!(reply.text().starts_with(&sentence), "{}", reply.text());
    }
    assert_eq!(
        running.call(order(1)).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn any_method_and_path_reach_a_handler_of_events() {
    let running = testing::start(Function::event(async |_: Event<Data>| ())).await;
    for (method, path) in [
        (Method::GET, "/"),
        (Method::PUT, "//a/../b?x=1"),
        (Method::from_bytes(b"BREW").unwrap(), "/pot"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body("")
            .unwrap();
        assert_eq!(
            running.call(request).await.status(),
            StatusCode::NO_CONTENT,
            "{path}"
        );
    }
}
