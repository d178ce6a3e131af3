//! The engine over the in-memory bus: events a second, and how that grows with keys and with what waits.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::batch::{BatchAnswer, Entry};
use openfaas_delivery::call::{Answer, Call, Outcome, Payload};
use openfaas_delivery::engine::{Control, Delivery, Engine};
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, Wiring};

/// Events of a row.
const EVENTS: usize = 20_000;

/// Bytes of the data of an event.
const DATA: usize = 1_024;

/// A function that has nothing to do.
struct Nothing;

/// A row: how the events are keyed and called.
struct Row {
    what: &'static str,
    keys: usize,
    batch: usize,
    events: usize,
    /// Inputs held at once.
    window: usize,
}

/// Measures every row and prints the table. Nothing is promised of these figures alone, so nothing is missed.
///
/// # Errors
/// The runtime does not start.
pub(crate) fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime does not start: {error}"))?;
    println!(
        "delivery: events of 1 KiB over the in-memory bus to a no-op function in this process, one thread"
    );
    println!(
        "{:<44} {:>12} {:>12} {:>14}",
        "", "events/s", "µs/event", "resident, MiB"
    );
    let row = |what, keys, batch| Row {
        what,
        keys,
        batch,
        events: EVENTS,
        window: 1_000,
    };
    let rows = [
        row("one by one, 1 key", 1, 1),
        row("one by one, 10 keys", 10, 1),
        row("one by one, 100 keys", 100, 1),
        row("one by one, 1,000 keys", 1_000, 1),
        row("batches of 100, 1 key", 1, 100),
        row("batches of 100, 1,000 keys", 1_000, 100),
        Row {
            events: 100_000,
            ..row("one by one, 10^5 waiting in the topic", 1_000, 1)
        },
        Row {
            events: 100_000,
            window: 100_000,
            ..row("one by one, 10^5 waiting in the owner", 1_000, 1)
        },
    ];
    for row in rows {
        let took = runtime.block_on(deliver(&row));
        let each = took.as_secs_f64() / row.events as f64;
        println!(
            "{:<44} {:>12.0} {:>12.2} {:>14}",
            row.what,
            1.0 / each,
            each * 1e6,
            resident()
        );
    }
    Ok(())
}

async fn deliver(row: &Row) -> Duration {
    let bus = Bus::new(Limits {
        bytes: 1 << 30,
        ..Limits::default()
    });
    for number in 0..row.events {
        let event = Event::new("bench", Data::text("x".repeat(DATA)))
            .with_id(number.to_string())
            .with_source("/bench")
            .with_extension("partitionkey", format!("k{}", number % row.keys));
        // Without a subscription a topic keeps but its newest; so the first delivery opens it.
        if number == 0 {
            open(&bus).await;
        }
        if bus.publish_event("bench", &event, Format::Binary).is_err() {
            break;
        }
    }
    let mut wiring = wiring();
    wiring.batch_size = row.batch;
    wiring.window = row.window;
    let engine = Engine::new(bus.clone(), Nothing, ()).with_budget(1 << 30);
    let control = Control::new();
    let start = Instant::now();
    let done = async {
        while bus.backlog(&durable()) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        control.drain();
        start.elapsed()
    };
    let (_, took) = tokio::join!(engine.run(Delivery::to(wiring), &control), done);
    took
}

/// Makes the durable, and leaves it.
async fn open(bus: &Bus) {
    let control = Control::new();
    let engine = Engine::new(bus.clone(), Nothing, ());
    let opened = async {
        while !bus.has(&durable()) {
            tokio::task::yield_now().await;
        }
        control.drain();
    };
    let _ = tokio::join!(engine.run(Delivery::to(wiring()), &control), opened);
}

fn wiring() -> Wiring {
    Wiring::new("bench", "bench", ["bench"])
}

fn durable() -> String {
    wiring().durable("bench")
}

impl Target for Nothing {
    async fn call(&self, call: Call) -> Outcome {
        let Payload::Batch(events) = &call.payload else {
            return Outcome::Answered(Answer::new(StatusCode::NO_CONTENT, HeaderMap::new(), ""));
        };
        let results = events.iter().map(|_| Entry::done()).collect();
        let body = serde_json::to_vec(&BatchAnswer { results }).unwrap_or_default();
        let json = HeaderValue::from_static(BatchAnswer::MEDIA_TYPE);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        Outcome::Answered(Answer::new(StatusCode::MULTI_STATUS, headers, body))
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// Resident memory of this process in MiB, where the system tells it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| {
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
    });
    kib.map_or_else(|| "–".to_owned(), |kib| (kib / 1_024).to_string())
}
