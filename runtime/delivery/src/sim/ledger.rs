//! What truly happened: told by the broker, the function and the engine, each on its own, and judged at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openfaas_cloudevents::Event;

use super::plan::{Form, Plan};
use super::world::World;
use crate::broker::{Message, Publication};
use crate::clock::{Clock, Time};

/// An event's number in its plan.
pub(super) type Serial = usize;

/// One run of an engine.
pub(super) type OwnerId = u64;

/// The ledger of a history. A clone is the same ledger.
#[derive(Clone)]
pub(super) struct Ledger {
    world: World,
    pub(super) plan: Arc<Plan>,
    book: Arc<Mutex<Book>>,
}

/// Everything that is known.
#[derive(Default)]
pub(super) struct Book {
    pub(super) fates: Vec<Fate>,
    pub(super) serials: BTreeMap<u64, Serial>,
    pub(super) owners: BTreeMap<OwnerId, Watched>,
    /// Replies in their topic, by their data, and when they were stored last.
    pub(super) replies: BTreeMap<String, Time>,
    pub(super) violations: Vec<String>,
    /// What a person reads; empty unless asked for.
    history: Option<Vec<String>>,
    /// What tells two histories apart.
    hash: u64,
    pub(super) now: Time,
}

/// What became of one event.
#[derive(Debug, Default, Clone)]
pub(super) struct Fate {
    pub(super) original: Option<Arc<Message>>,
    pub(super) gone: bool,
    pub(super) settled: bool,
    pub(super) letters: u32,
    /// Calls that reached the function with it.
    pub(super) tries: u32,
    /// The replies of each answer that said it is done.
    pub(super) done: Vec<Answered>,
    /// It was rejected, or an answer had a reply that may not go out.
    pub(super) condemned: bool,
    /// Times that it killed its function.
    pub(super) kills: u32,
    /// Times that something else than it ended a call in which it was alone because it was a suspect.
    pub(super) accidents: u32,
}

/// Replies of one answer.
#[derive(Debug, Default, Clone)]
pub(super) struct Answered {
    pub(super) replies: Vec<String>,
    /// One of them may not go out, so none may; the broker itself may find that late.
    pub(super) bad: Option<Bad>,
}

/// When a bad reply is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// Before any is published.
    AtCheck,
    /// By the broker.
    AtBroker,
}

/// What an answer said of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Given {
    Done,
    Rejected,
    /// Again, after at least and at most this.
    Retry(Option<(Duration, Duration)>),
}

/// What is known of one run of an engine.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) held: BTreeMap<Serial, usize>,
    pub(super) in_flight: BTreeMap<Serial, usize>,
    pub(super) suspects: BTreeSet<Serial>,
    /// Answers that count.
    pub(super) attempts: BTreeMap<Serial, u32>,
    /// Deaths while it ran alone as a suspect.
    pub(super) deaths: BTreeMap<Serial, u32>,
    pub(super) given: BTreeMap<Serial, Given>,
    /// Not before, and set at.
    pub(super) waits: BTreeMap<Serial, (Time, Time)>,
    /// It answered that it is done with these.
    pub(super) done: BTreeSet<Serial>,
    /// The last answers: whose, and whether they were retries.
    pub(super) answers: VecDeque<(Serial, bool)>,
    pub(super) sick_since: Option<Time>,
    /// What was pending when it began; it holds that on top of its limits.
    pub(super) inherited: usize,
}

impl Ledger {
    pub(super) fn new(world: World, plan: Arc<Plan>, history: bool) -> Self {
        let fates = vec![Fate::default(); plan.events.len()];
        let book = Book {
            fates,
            history: history.then(Vec::new),
            ..Book::default()
        };
        Self {
            world,
            plan,
            book: Arc::new(Mutex::new(book)),
        }
    }

    /// The book, at this moment.
    pub(super) fn open(&self) -> MutexGuard<'_, Book> {
        let now = self.world.now();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.now = now;
        book
    }

    /// An event is in its topic.
    pub(super) fn published(&self, serial: Serial, message: Arc<Message>) {
        let mut book = self.open();
        let offset = message.position.offset;
        book.serials.insert(offset, serial);
        book.fates[serial].original = Some(message);
        let planned = &self.plan.events[serial];
        book.note(|| {
            format!(
                "publisher: {} #{serial} as {offset}, key {:?}, {:?}",
                planned.id, planned.key, planned.nature
            )
        });
    }

    /// A reply or a letter is stored, or was swallowed as a duplicate.
    pub(super) fn stored(
        &self,
        owner: OwnerId,
        letters: &str,
        what: &Publication,
        duplicate: bool,
    ) {
        let mut book = self.open();
        let text = String::from_utf8_lossy(what.body.as_deref().unwrap_or_default()).into_owned();
        let short: String = text.chars().take(40).collect();
        book.note(|| {
            format!(
                "broker: {owner} stored in {}: {short}{}",
                what.topic,
                if duplicate { " (duplicate)" } else { "" }
            )
        });
        if duplicate {
            return;
        }
        if *what.topic == *letters {
            return self.judge_letter(&mut book, owner, what, &text);
        }
        let of = serial_in(&text)
            .map(|serial| book.fates[serial].done.clone())
            .unwrap_or_default();
        if of
            .iter()
            .all(|answer| answer.bad == Some(Bad::AtCheck) || !answer.replies.contains(&text))
        {
            book.violate(format!(
                "a reply is stored, of an answer that must not go out: {short}"
            ));
        }
        // A broker knows a dedup id for two minutes.
        let now = book.now;
        let before = book.replies.insert(text, now);
        if before.is_some_and(|before| now.since(before) < Duration::from_secs(120)) {
            book.violate(format!("a reply is stored twice: {short}"));
        }
    }

    /// Something is about to be settled at the broker.
    pub(super) fn settling(&self, owner: OwnerId, offset: u64) {
        let mut book = self.open();
        book.note(|| format!("broker: {owner} settled {offset}"));
        let Some(&serial) = book.serials.get(&offset) else {
            return;
        };
        let fate = &book.fates[serial];
        let unwanted = self.plan.events[serial].form == Form::Unwanted;
        let replied = fate.done.iter().any(|answer| {
            answer.bad.is_none()
                && answer
                    .replies
                    .iter()
                    .all(|reply| book.replies.contains_key(reply))
        });
        if !unwanted && !replied && fate.letters == 0 && !fate.settled {
            book.violate(format!(
                "#{serial} is settled before its replies or its letter are stored"
            ));
        }
        book.fates[serial].settled = true;
    }

    /// A call with these events is at the function: all before them of their key are settled, or in the call before them.
    pub(super) fn arrived(&self, owner: OwnerId, serials: &[Serial]) {
        let mut book = self.open();
        book.note(|| format!("function: called by {owner} with {serials:?}"));
        if self.plan.wiring.order == crate::wiring::Order::None {
            return;
        }
        for (place, serial) in serials.iter().enumerate() {
            let planned = &self.plan.events[*serial];
            let Some(key) = planned.key.as_ref().filter(|_| planned.form == Form::Event) else {
                continue;
            };
            let Some(offset) = book.offset(*serial) else {
                continue;
            };
            let before: Vec<Serial> = book
                .serials
                .range(..offset)
                .map(|(_, serial)| *serial)
                .collect();
            for other in before {
                let (rival, fate) = (&self.plan.events[other], &book.fates[other]);
                let same = rival.form == Form::Event && rival.key.as_ref() == Some(key);
                if same && !fate.settled && !fate.gone && !serials[..place].contains(&other) {
                    book.violate(format!(
                        "#{serial} is called before #{other} of its key is settled"
                    ));
                }
            }
        }
    }

    /// A run of an engine begins.
    pub(super) fn begins(&self, owner: OwnerId) {
        let mut book = self.open();
        book.note(|| format!("engine {owner} begins"));
        book.owners.entry(owner).or_default();
    }

    /// It is no more.
    pub(super) fn ends(&self, owner: OwnerId) {
        let mut book = self.open();
        book.note(|| format!("engine {owner} is gone"));
        // What it had sent may still arrive, and is judged by what it knew.
        if let Some(watched) = book.owners.get_mut(&owner) {
            watched.held.clear();
            watched.in_flight.clear();
        }
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.open().note(line);
    }

    /// Whether nothing is left to be done.
    pub(super) fn all_done(&self) -> bool {
        let book = self.open();
        book.fates
            .iter()
            .all(|fate| fate.original.is_some() && (fate.settled || fate.gone))
    }

    /// What was wrong, what is left, and the story of it.
    pub(super) fn close(&self) -> (Vec<String>, Vec<String>, u64) {
        let mut book = self.open();
        let lost: Vec<Serial> = (0..book.fates.len())
            .filter(|serial| !book.fates[*serial].settled && !book.fates[*serial].gone)
            .collect();
        if !lost.is_empty() {
            book.violate(format!("{lost:?} are neither settled nor gone at the end"));
        }
        let history = book.history.take().unwrap_or_default();
        (std::mem::take(&mut book.violations), history, book.hash)
    }
}

impl Book {
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let Some(history) = &mut self.history else {
            return;
        };
        let mut text = String::new();
        let _ = write!(text, "{:>12.4} ", self.now.since_origin().as_secs_f64());
        text.push_str(&line());
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        history.push(text);
    }

    pub(super) fn violate(&mut self, what: String) {
        self.note(|| format!("!!! {what}"));
        self.violations.push(what);
    }

    pub(super) fn offset(&self, serial: Serial) -> Option<u64> {
        Some(self.fates[serial].original.as_ref()?.position.offset)
    }
}

/// The number of an event, which stands first in its data.
pub(super) fn serial_of(event: &Event) -> Option<Serial> {
    serial_in(std::str::from_utf8(event.data().bytes()).ok()?)
}

/// The number that a body begins with.
pub(super) fn serial_in(text: &str) -> Option<Serial> {
    text.split('/').next()?.parse().ok()
}
