//! What became of each message, as the engine told it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use openfaas_cloudevents::{Data, Event};
use openfaas_delivery::{
    broker::Position,
    observe::{Observation, Observer, State, What},
    wiring::Start,
};
use tokio::sync::watch;

use super::path::{Attempt, Verdict};
use crate::terminal::Console;

/// How many messages are remembered.
const KEPT: usize = 20_000;

/// How many attempts are remembered of one message with one function: the first and the latest.
const ATTEMPTS: usize = 50;

/// What became of each message. One for a run.
#[derive(Debug)]
pub struct Trail {
    /// What is remembered.
    seen: Mutex<Seen>,
    /// Changes with every verdict.
    verdicts: watch::Sender<u64>,
    /// One moment on both clocks, so that times of day are as far apart as what they stand for.
    origin: (Instant, SystemTime),
    /// Where a person is told what he would want to know.
    console: Console,
}

/// What is remembered.
#[derive(Debug, Default)]
struct Seen {
    /// By where a message lies: what each function made of it.
    fates: HashMap<Position, BTreeMap<String, Fate>>,
    /// The same places, oldest first.
    order: VecDeque<Position>,
    /// The events, without their data, and their topics.
    events: HashMap<Position, (String, Event)>,
    /// Where an event lies, by topic, source and id: the latest place.
    places: HashMap<(String, String, String), Position>,
}

/// What one function made of one message.
#[derive(Clone, Debug)]
pub struct Fate {
    /// When it was first held; none before.
    pub received: Option<Instant>,
    /// The calls, with what came of them.
    pub attempts: Vec<Attempt>,
    /// When the call that runs began.
    running: Option<(u32, Instant)>,
    /// The replies: topic and event.
    pub replies: Vec<(String, Event)>,
    /// What was decided, if anything is.
    pub verdict: Option<Verdict>,
    /// When the broker was told.
    pub settled: Option<Duration>,
}

impl Trail {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(console: Console) -> Self {
        Self {
            seen: Mutex::default(),
            verdicts: watch::Sender::new(0),
            origin: (Instant::now(), SystemTime::now()),
            console,
        }
    }

    /// Changes with every verdict.
    #[must_use]
    pub fn verdicts(&self) -> watch::Receiver<u64> {
        self.verdicts.subscribe()
    }

    /// What each function made of a message so far.
    #[must_use]
    pub fn fates(&self, position: &Position) -> BTreeMap<String, Fate> {
        self.lock().fates.get(position).cloned().unwrap_or_default()
    }

    /// The time of day of a moment.
    #[must_use]
    pub fn wall(&self, moment: Instant) -> SystemTime {
        self.origin.1 + moment.saturating_duration_since(self.origin.0)
    }

    /// Remembers a message that was published just now.
    pub fn published(&self, position: &Position, topic: &str, event: &Event) {
        self.lock().remember(position, topic, event);
    }

    /// The topic and the event of a message, without its data.
    #[must_use]
    pub fn event(&self, position: &Position) -> Option<(String, Event)> {
        self.lock().events.get(position).cloned()
    }

    /// Where an event of a topic lies, once somebody has received it.
    #[must_use]
    pub fn place(&self, topic: &str, event: &Event) -> Option<Position> {
        self.lock().places.get(&key(topic, event)).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, observation: &Observation<'_>) {
        let said = match observation.what {
            What::State(State::NotReady(why)) => {
                format!("takes nothing from {}: {why}", observation.topic)
            }
            // A function that begins at the beginning of nothing is no news.
            What::State(State::Began { start, waiting })
                if (start, waiting) != (Start::Oldest, 0) =>
            {
                format!(
                    "begins with {start} of {}: {waiting} wait",
                    observation.topic
                )
            }
            What::State(State::Interrupted(why) | State::Lost(why)) => {
                format!("begins again with {}: {why}", observation.topic)
            }
            What::State(State::Down(why)) => format!("is down, its events wait: {why}"),
            What::State(State::Sick) => {
                "asks for a retry of everything, its events wait".to_owned()
            }
            What::State(State::Up) => "answers again".to_owned(),
            What::State(State::OneByOne) => {
                "does not know batches and gets its events one by one".to_owned()
            }
            What::DeadLettered { topic, reason } => {
                let id = observation.event.map_or("a broken event", Event::id);
                format!(
                    "{id} of {} is a dead letter in {topic}: {reason}",
                    observation.topic
                )
            }
            What::Gone { count } => format!(
                "{count} messages of {} were removed before it saw them",
                observation.topic
            ),
            _ => return,
        };
        self.console.note(observation.function, &said);
    }
}

impl Observer for Trail {
    fn observe(&self, observation: &Observation<'_>) {
        self.tell(observation);
        let Some(position) = observation.position else {
            return;
        };
        let mut seen = self.lock();
        if let (What::Received, Some(event)) = (observation.what, observation.event) {
            seen.remember(position, observation.topic, event);
        }
        let fate = seen.fate(position, observation.function);
        if fate.take(&observation.what) {
            drop(seen);
            self.verdicts.send_modify(|count| *count += 1);
        }
    }
}

impl Seen {
    fn remember(&mut self, position: &Position, topic: &str, event: &Event) {
        if self.events.contains_key(position) {
            return;
        }
        self.order.push_back(position.clone());
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(&oldest);
        }
        self.places.insert(key(topic, event), position.clone());
        let bare = event.clone().map_data(|_| Data::absent());
        self.events
            .insert(position.clone(), (topic.to_owned(), bare));
    }

    fn forget(&mut self, position: &Position) {
        self.fates.remove(position);
        if let Some((topic, event)) = self.events.remove(position) {
            self.places.remove(&key(&topic, &event));
        }
    }

    fn fate(&mut self, position: &Position, function: &str) -> &mut Fate {
        let fates = self.fates.entry(position.clone()).or_default();
        fates.entry(function.to_owned()).or_insert_with(Fate::new)
    }
}

impl Fate {
    /// Of a message that was not received yet.
    pub(super) fn new() -> Self {
        Self {
            received: None,
            attempts: Vec::new(),
            running: None,
            replies: Vec::new(),
            verdict: None,
            settled: None,
        }
    }

    /// From when it was first held until it was settled, or until now.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.settled.unwrap_or_else(|| self.held_for())
    }

    /// Takes in what happened. Whether that ends it.
    fn take(&mut self, what: &What<'_>) -> bool {
        match *what {
            What::Received => drop(self.received.get_or_insert_with(Instant::now)),
            What::Started { attempt, .. } => self.running = Some((attempt, Instant::now())),
            What::Answered { status, took } => self.attempted(Some(status), None, took),
            What::Unanswered { reason, .. } => {
                let took = self
                    .running
                    .map_or(Duration::ZERO, |(_, since)| since.elapsed());
                self.attempted(None, Some(reason.to_owned()), took);
            }
            What::Replied { topic, event } => self.replied(topic, event),
            What::Filtered => self.verdict = Some(Verdict::Filtered),
            What::DeadLettered { topic, reason } => {
                self.verdict = Some(Verdict::DeadLetter {
                    topic: topic.to_owned(),
                    reason: reason.to_owned(),
                });
            }
            What::Settled => {
                self.verdict.get_or_insert(Verdict::Done);
                let held_for = self.held_for();
                self.settled.get_or_insert(held_for);
                return true;
            }
            _ => {}
        }
        false
    }

    fn attempted(&mut self, status: Option<u16>, unanswered: Option<String>, took: Duration) {
        let (number, began) = self.running.take().unwrap_or((1, Instant::now()));
        let after = self.received.map_or(Duration::ZERO, |received| {
            began.saturating_duration_since(received)
        });
        if self.attempts.len() == ATTEMPTS {
            self.attempts.remove(ATTEMPTS / 2);
        }
        self.attempts.push(Attempt {
            number,
            after,
            took,
            status,
            unanswered,
        });
    }

    fn held_for(&self) -> Duration {
        self.received
            .map_or(Duration::ZERO, |received| received.elapsed())
    }

    fn replied(&mut self, topic: &str, event: &Event) {
        let is_there =
            |(there, reply): &(String, Event)| there == topic && reply.id() == event.id();
        if !self.replies.iter().any(is_there) {
            self.replies.push((topic.to_owned(), event.clone()));
        }
    }
}

fn key(topic: &str, event: &Event) -> (String, String, String) {
    (
        topic.to_owned(),
        event.source().to_owned(),
        event.id().to_owned(),
    )
}
