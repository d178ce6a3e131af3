//! What a bench asks of a broker.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;

/// Bytes of an event's data.
const DATA: usize = 1_024;

/// What is published is settled by then, or not at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Keys that events have in turn.
const KEYS: u64 = 1_000;

/// The namespace of every function.
pub(crate) const NAMESPACE: &str = "openfaas-fn";

/// Where every function's dead letters go.
pub(crate) const LETTERS: &str = "dead-letter.bench";

/// A real broker with topics of the bench's own.
pub(crate) trait Broker: Sized {
    /// As the connector's command and `events_broker` have it.
    const NAME: &'static str;

    /// What is said of it in the output.
    const ABOUT: &'static str;

    /// Starts one.
    async fn start() -> Result<Self, Error>;

    /// By what our programs find it.
    fn environment(&self) -> Vec<(String, String)>;

    /// The arguments of `raw-client` that make it take a topic under this name.
    fn raw(&self, topic: &str, name: &str) -> Vec<String>;

    /// The name under which a function of ours takes a topic: a durable, or a group.
    fn name_of(function: &str, topic: &str) -> String;

    /// Makes a topic and stores so many events there.
    async fn fill(&self, topic: &str, events: u64) -> Result<(), Error>;

    /// Events of a topic that are settled under this name; 0 where nothing is known of it.
    async fn settled(&self, topic: &str, name: &str) -> Result<u64, Error>;

    /// Publishes at a steady rate and sees when what is taken under this name is settled: how long each
    /// event took, in seconds. One that is not settled within [`PATIENCE`] of the last is missing.
    async fn latencies(&self, topic: &str, name: &str, pace: Pace) -> Result<Vec<f64>, Error>;
}

/// At which rate events are published, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Events a second.
    pub(crate) rate: f64,
    /// How long.
    pub(crate) span: Duration,
    /// Events that were in the topic before.
    pub(crate) first: u64,
}

/// When each event of a steady stream was published and settled, by its place in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Arc<Mutex<Vec<Passage>>>);

#[derive(Debug, Clone, Copy)]
struct Passage {
    published: Instant,
    settled: Option<Instant>,
}

/// The data of every event: JSON of 1 KiB.
pub(crate) fn data() -> String {
    format!("{:?}", "x".repeat(DATA - 2))
}

/// The key of an event.
pub(crate) fn key(number: u64) -> String {
    format!("k{}", number % KEYS)
}

// === impl Pace ===

impl Pace {
    /// How many are published.
    pub(crate) fn events(self) -> u64 {
        (self.rate * self.span.as_secs_f64()) as u64
    }

    /// Publishes event after event, each when it is due.
    pub(crate) async fn keep(
        self,
        mut publish: impl AsyncFnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let begin = Instant::now();
        for number in 0..self.events() {
            let due = begin + Duration::from_secs_f64(number as f64 / self.rate);
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            publish(self.first + number).await?;
        }
        Ok(())
    }
}

// === impl Times ===

impl Times {
    /// The next event is published now.
    pub(crate) fn published(&self) {
        self.lock().push(Passage {
            published: Instant::now(),
            settled: None,
        });
    }

    /// The event of this place is settled now, unless it was before.
    pub(crate) fn settled(&self, place: usize) {
        if let Some(passage) = self.lock().get_mut(place) {
            passage.settled.get_or_insert_with(Instant::now);
        }
    }

    /// How many are published and not settled.
    pub(crate) fn under_way(&self) -> usize {
        let times = self.lock();
        times.iter().filter(|times| times.settled.is_none()).count()
    }

    /// How long each took, in seconds.
    pub(crate) fn taken(&self) -> Vec<f64> {
        let took = |passage: &Passage| Some((passage.settled? - passage.published).as_secs_f64());
        self.lock().iter().filter_map(took).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Passage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
