//! What truly happened: told by the broker, the function and the engine, each on its own, and judged at once.

mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openfaas_cloudevents::Event;

pub(super) use self::known::{Answered, Bad, Fate, Given, Line, Watched};
use super::plan::{Form, Plan};
use super::world::World;
use crate::broker::{Message, Position, Publication};
use crate::clock::{Clock, Time};
use crate::engine::Ended;

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
    pub(super) serials: BTreeMap<Position, Serial>,
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
        let position = message.position.clone();
        book.serials.insert(position.clone(), serial);
        book.fates[serial].original = Some(message);
        let planned = &self.plan.events[serial];
        book.note(|| {
            format!(
                "publisher: {} #{serial} as {position}, key {:?}, {:?}",
                planned.id, planned.key, planned.nature
            )
        });
    }

    /// A reply or a letter is stored, or was swallowed as a duplicate.
    pub(super) fn stored(&self, owner: OwnerId, what: &Publication, duplicate: bool) {
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
        if self.plan.is_for_letters(&what.topic) {
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

    /// An owner has settled something, and its broker will not give it again.
    pub(super) fn settled(&self, owner: OwnerId, position: &Position) {
        self.finished(owner, position);
        let mut book = self.open();
        if let Some(&serial) = book.serials.get(position) {
            book.fates[serial].settled = true;
        }
    }

    /// An owner has settled something: what follows from it is stored.
    pub(super) fn finished(&self, owner: OwnerId, position: &Position) {
        let mut book = self.open();
        book.note(|| format!("broker: {owner} settled {position}"));
        let Some(&serial) = book.serials.get(position) else {
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
        if !unwanted && !replied && fate.letters == 0 && !fate.finished {
            book.violate(format!(
                "#{serial} is settled before its replies or its letter are stored"
            ));
        }
        book.fates[serial].finished = true;
    }

    /// A broker keeps a commit: everything before it, and this past it, is finished.
    pub(super) fn committed(
        &self,
        owner: OwnerId,
        log: &Arc<str>,
        offset: u64,
        past: &BTreeSet<u64>,
        size: usize,
    ) {
        let mut book = self.open();
        book.note(|| format!("broker: {owner} committed {offset} of {log}, and {past:?}"));
        if size > self.plan.metadata {
            book.violate(format!("a commit of {log} has {size} bytes of metadata"));
        }
        let at = |offset| Position {
            log: Arc::clone(log),
            offset,
        };
        let before = book.serials.range(at(0)..at(offset));
        let before: Vec<Serial> = before.map(|(_, serial)| *serial).collect();
        let past = past
            .iter()
            .filter_map(|offset| book.serials.get(&at(*offset)));
        let unfinished = before.iter().chain(past).find(|serial| {
            let fate = &book.fates[**serial];
            !fate.finished && !fate.gone
        });
        if let Some(serial) = unfinished.copied() {
            book.violate(format!(
                "{log} is committed up to {offset}, and past #{serial}, which is not finished"
            ));
        }
        for serial in before {
            book.fates[serial].settled = true;
        }
    }

    /// An owner is told that a log goes to another.
    pub(super) fn revoked(&self, owner: OwnerId, log: &Arc<str>) {
        let mut book = self.open();
        book.note(|| format!("broker: {owner} is to give {log} back"));
        let now = book.now;
        let watched = book.owners.entry(owner).or_default();
        watched.revoked.insert(Arc::clone(log), now);
    }

    /// An owner is told that a log is its own.
    pub(super) fn assigned(&self, owner: OwnerId, log: &Arc<str>) {
        let mut book = self.open();
        book.note(|| format!("broker: {owner} is given {log}"));
        book.owners.entry(owner).or_default().revoked.remove(log);
    }

    /// A door that is stopped by somebody leaves a record that charges whoever ran alone.
    pub(super) fn blame_nobody(&self) {
        if self.plan.door {
            for fate in &mut self.open().fates {
                fate.accidents += 1;
            }
        }
    }

    /// A call with these events is at the function: all before them of their key are settled, or in the call before them.
    pub(super) fn arrived(&self, owner: OwnerId, serials: &[Serial]) {
        let mut book = self.open();
        book.note(|| format!("function: called by {owner} with {serials:?}"));
        for (place, serial) in serials.iter().enumerate() {
            let Some(key) = self.plan.order_key(*serial) else {
                continue;
            };
            let Some(position) = book.position(*serial) else {
                continue;
            };
            let first = Position {
                log: Arc::clone(&position.log),
                offset: 0,
            };
            let open = |other: &Serial| {
                let fate = &book.fates[*other];
                self.plan.order_key(*other) == Some(key) && !fate.finished && !fate.gone
            };
            let before = book.serials.range(first..position).map(|(_, other)| *other);
            let passed: Vec<Serial> = before
                .filter(|other| open(other) && !serials[..place].contains(other))
                .collect();
            for other in passed {
                book.violate(format!(
                    "#{serial} is called before #{other} of its key is settled"
                ));
            }
        }
    }

    /// While one function is down for long, all others have done all of theirs.
    pub(super) fn judge_others(&self, down: usize) {
        let mut book = self.open();
        let late: Vec<Serial> = (0..book.fates.len())
            .filter(|serial| self.plan.events[*serial].function != down)
            .filter(|serial| !book.fates[*serial].finished)
            .collect();
        if !late.is_empty() {
            book.violate(format!("{late:?} wait for a function that is not theirs"));
        }
    }

    /// A run of an engine begins.
    pub(super) fn begins(&self, owner: OwnerId) {
        let mut book = self.open();
        book.note(|| format!("engine {owner} begins"));
        book.owners.entry(owner).or_default();
    }

    /// It has drained, or was cut; not for want of something to do, unless it stood still or could not leave its record.
    pub(super) fn drained(&self, owner: OwnerId, ended: Ended) {
        let mut book = self.open();
        book.note(|| format!("engine {owner}: {ended:?}"));
        let paused = book.owners.get(&owner).is_some_and(|owner| owner.paused);
        let refused = self.plan.door && self.plan.faults.other > 0;
        if ended == Ended::Cut(0) && !paused && !refused {
            book.violate(format!("{owner} has nothing to finish and does not end"));
        }
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

    pub(super) fn position(&self, serial: Serial) -> Option<Position> {
        Some(self.fates[serial].original.as_ref()?.position.clone())
    }

    /// What is known of an owner's subscription to a topic.
    pub(super) fn line(&mut self, owner: OwnerId, topic: &str) -> &mut Line {
        let lines = &mut self.owners.entry(owner).or_default().lines;
        lines.entry(topic.to_owned()).or_default()
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
