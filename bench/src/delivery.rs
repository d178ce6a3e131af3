//! The engine over the in-memory bus: events a second, how that grows with keys and with what waits, and what it holds
//! while a function is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::batch::{BatchAnswer, Entry};
use openfaas_delivery::call::{Answer, Call, Outcome, Payload};
use openfaas_delivery::engine::{Control, Delivery, Engine};
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::observe::{Observation, Observer, What};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Format, Wiring};

/// Events of a row.
const EVENTS: usize = 20_000;

/// Bytes of the data of an event.
const DATA: usize = 1_024;

/// How long a function stays down before the memory is looked at: many back-off steps.
const DOWN: Duration = Duration::from_secs(3);

/// A function that has nothing to do, or is not there.
#[derive(Clone)]
struct Nothing {
    calls: Arc<AtomicUsize>,
    down: bool,
}

/// Counts what is settled.
#[derive(Clone, Default)]
struct Settled(Arc<AtomicUsize>);

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
        "{:<44} {:>12} {:>12} {:>12}",
        "", "events/s", "µs/event", "events/call"
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
        let (took, calls) = runtime.block_on(deliver(&row));
        let each = took.as_secs_f64() / row.events as f64;
        println!(
            "{:<44} {:>12.0} {:>12.2} {:>12.1}",
            row.what,
            1.0 / each,
            each * 1e6,
            row.events as f64 / calls as f64
        );
    }
    println!();
    println!(
        "{:<44} {:>12} {:>12}",
        "a function that is down", "before, MiB", "added, MiB"
    );
    for waiting in [1_000, 10_000, 100_000] {
        let (before, after) = runtime.block_on(wait_for_a_function(waiting));
        println!(
            "{:<44} {before:>12.1} {:>12.1}",
            format!("{waiting} waiting, of which 1,000 are held"),
            after - before
        );
    }
    Ok(())
}

/// Delivers all events of a row: how long it took, in how many calls.
async fn deliver(row: &Row) -> (Duration, usize) {
    let bus = filled(row.events, row.keys).await;
    let mut wiring = wiring();
    wiring.batch_size = row.batch;
    wiring.window = row.window;
    let (function, settled) = (Nothing::new(false), Settled::default());
    let engine = Engine::new(bus, function.clone(), settled.clone()).with_budget(1 << 30);
    let control = Control::new();
    let start = Instant::now();
    let done = async {
        while settled.0.load(Ordering::Relaxed) < row.events {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        control.drain();
        start.elapsed()
    };
    let (_, took) = tokio::join!(engine.run(Delivery::to(wiring), &control), done);
    (took, function.calls.load(Ordering::Relaxed))
}

/// Resident memory with so many events in the topic, before anybody takes them and while they wait for their function.
async fn wait_for_a_function(events: usize) -> (f64, f64) {
    let bus = filled(events, 1_000).await;
    let before = resident();
    let engine = Engine::new(bus, Nothing::new(true), ());
    let control = Control::new();
    let done = async {
        tokio::time::sleep(DOWN).await;
        let after = resident();
        control.drain();
        after
    };
    let (_, after) = tokio::join!(engine.run(Delivery::to(wiring()), &control), done);
    (before, after)
}

/// A bus with so many events that wait, over so many keys.
async fn filled(events: usize, keys: usize) -> Bus {
    let bus = Bus::new(Limits {
        bytes: 1 << 30,
        ..Limits::default()
    });
    for number in 0..events {
        let event = Event::new("bench", Data::text("x".repeat(DATA)))
            .with_id(number.to_string())
            .with_source("/bench")
            .with_extension("partitionkey", format!("k{}", number % keys));
        // Without a subscription a topic keeps but its newest; so the first delivery opens it.
        if number == 0 {
            open(&bus).await;
        }
        if bus.publish_event("bench", &event, Format::Binary).is_err() {
            break;
        }
    }
    bus
}

/// Makes the durable, and leaves it.
async fn open(bus: &Bus) {
    let control = Control::new();
    let engine = Engine::new(bus.clone(), Nothing::new(false), ());
    let opened = async {
        while bus.backlog(&durable()).is_none() {
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

impl Nothing {
    fn new(down: bool) -> Self {
        Self {
            calls: Arc::default(),
            down,
        }
    }
}

impl Observer for Settled {
    fn observe(&self, observation: &Observation<'_>) {
        if observation.what == What::Settled {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Target for Nothing {
    async fn call(&self, call: Call) -> Outcome {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.down {
            return Outcome::Refused("nobody is there".to_owned());
        }
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

/// Resident memory of this process in MiB; 0 where the system does not tell it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| {
        line.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<f64>()
            .ok()
    });
    kib.unwrap_or_default() / 1_024.0
}
