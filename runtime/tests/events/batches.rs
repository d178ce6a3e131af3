//! Batches, answered event by event.

use std::sync::Arc;
use std::time::Duration;

use openfaas_runtime::{Event, Failure, Function, Reply, State, axum::http::StatusCode, testing};
use serde_json::Value;

use crate::help::config;

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
