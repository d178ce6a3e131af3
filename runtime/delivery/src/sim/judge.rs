//! What the engine says of itself, held against what is known.

use std::time::Duration;

use super::ledger::{Book, Given, Ledger, Line, OwnerId, Serial, Watched, serial_in};
use super::plan::{Form, Mood};
use crate::broker::Publication;
use crate::clock::Time;
use crate::dead_letter;
use crate::observe::{Observation, Observer, State, What};

/// Watches one run of an engine.
pub(super) struct Watcher {
    pub(super) ledger: Ledger,
    pub(super) owner: OwnerId,
}

impl Observer for Watcher {
    fn observe(&self, seen: &Observation<'_>) {
        self.ledger.observe(self.owner, seen);
    }
}

impl Ledger {
    fn observe(&self, owner: OwnerId, seen: &Observation<'_>) {
        let mut book = self.open();
        let serial = seen
            .position
            .and_then(|position| book.serials.get(position).copied());
        book.note(|| {
            format!(
                "engine {owner}: {} {:?}",
                serial.map_or(String::new(), |serial| format!("#{serial}")),
                Short(seen.what)
            )
        });
        if matches!(seen.what, What::State(State::Up)) {
            let now = book.now;
            book.line(owner, seen.topic).recover(now);
        }
        let Some(serial) = serial else { return };
        match seen.what {
            What::Received => self.received(&mut book, owner, serial),
            What::Started { batch, .. } => self.started(&mut book, owner, serial, batch),
            What::Answered { .. } => self.answered(&mut book, owner, serial),
            What::Unanswered { suspect, .. } => {
                let watched = book.owners.entry(owner).or_default();
                watched.in_flight.remove(&serial);
                if suspect && !watched.suspects.insert(serial) {
                    *watched.deaths.entry(serial).or_default() += 1;
                }
            }
            What::Untold { .. } => {
                book.owners
                    .entry(owner)
                    .or_default()
                    .in_flight
                    .remove(&serial);
            }
            What::Waiting { until, .. } => self.waits(&mut book, owner, serial, until),
            What::Settled | What::LetGo => {
                let watched = book.owners.entry(owner).or_default();
                watched.held.remove(&serial);
                watched.in_flight.remove(&serial);
                watched.suspects.remove(&serial);
                watched.waits.remove(&serial);
                watched.done.remove(&serial);
            }
            _ => {}
        }
    }

    fn received(&self, book: &mut Book, owner: OwnerId, serial: Serial) {
        let size = book.fates[serial]
            .original
            .as_ref()
            .map_or(0, |message| message.size());
        let (window, share) = (self.plan.served(serial).wiring.window, self.plan.share());
        let topic = self.plan.topic(serial);
        let inherited = book.line(owner, topic).inherited;
        let watched = book.owners.entry(owner).or_default();
        watched.held.insert(serial, size);
        // What it sent before it let go may still arrive, and was judged by these.
        watched.attempts.remove(&serial);
        watched.deaths.remove(&serial);
        let mut held = 0;
        let mut bytes = 0;
        for (other, size) in &watched.held {
            if self.plan.topic(*other) == topic {
                held += 1;
                bytes += size;
            }
        }
        if held > window + inherited {
            book.violate(format!("{held} inputs are held, the window is {window}"));
        } else if bytes > share && held > 1 && inherited == 0 {
            book.violate(format!("{bytes} bytes are held, the share is {share}"));
        }
    }

    fn started(&self, book: &mut Book, owner: OwnerId, serial: Serial, batch: usize) {
        let now = book.now;
        let attempts = self.plan.served(serial).wiring.retry.attempts;
        let calm = self.plan.mood == Mood::Calm;
        let log = book.position(serial).map(|position| position.log);
        book.line(owner, self.plan.topic(serial)).recover(now);
        let watched = book.owners.entry(owner).or_default();
        let mut wrong = Vec::new();
        if let Some((until, set)) = watched.waits.remove(&serial) {
            let late = now.since(until);
            if now < until {
                wrong.push(format!("#{serial} is tried {:?} early", until.since(now)));
            } else if calm && late > Duration::from_millis(5).max(until.since(set) / 10) {
                wrong.push(format!("#{serial} is tried {late:?} late"));
            }
        }
        if watched.charged(serial) >= attempts {
            wrong.push(format!(
                "#{serial} is tried although it was charged {attempts} times"
            ));
        }
        if watched.done.contains(&serial) {
            wrong.push(format!("#{serial} is called again although it was done"));
        }
        if watched.in_flight.contains_key(&serial) {
            wrong.push(format!("#{serial} is in two calls at once"));
        }
        let revoked = log.and_then(|log| watched.revoked.get(&log));
        if revoked.is_some_and(|revoked| *revoked < now) {
            wrong.push(format!(
                "#{serial} is started, and its log is to be given back"
            ));
        }
        // What an earlier call was told, and the engine had no use for, says nothing of this one.
        watched.given.remove(&serial);
        watched.in_flight.insert(serial, batch);
        let function = self.plan.events[serial].function;
        let with: Vec<Serial> = watched
            .in_flight
            .keys()
            .copied()
            .filter(|other| self.plan.events[*other].function == function)
            .collect();
        if with.len() > 1 && with.iter().any(|other| watched.suspects.contains(other)) {
            wrong.push(format!(
                "#{serial} starts while a suspect runs, or is one and not alone"
            ));
        }
        wrong.into_iter().for_each(|wrong| book.violate(wrong));
    }

    fn answered(&self, book: &mut Book, owner: OwnerId, serial: Serial) {
        let now = book.now;
        let topic = self.plan.topic(serial);
        let watched = book.owners.entry(owner).or_default();
        let batch = watched.in_flight.remove(&serial).unwrap_or(1);
        watched.suspects.remove(&serial);
        let given = watched.given.get(&serial).copied();
        if batch > 1 && matches!(given, Some(Given::Whole(_)) | None) {
            return book.violate(format!(
                "#{serial} is charged for a batch that failed as a whole"
            ));
        }
        let retry = match given {
            Some(Given::Done) => {
                watched.done.insert(serial);
                false
            }
            Some(Given::Rejected) => false,
            // What nobody gave is the deadline's 504.
            Some(Given::Retry(_) | Given::Whole(_)) | None => true,
        };
        let line = book.line(owner, topic);
        let sick = line.sick_since.is_some();
        match retry {
            true => line.retried(serial, now),
            false => line.well(),
        }
        if retry && !sick {
            let watched = book.owners.entry(owner).or_default();
            *watched.attempts.entry(serial).or_default() += 1;
            book.fates[serial].charges += 1;
        }
    }

    /// The engine says until when it waits: as drawn within its bounds, or as it was asked.
    fn waits(&self, book: &mut Book, owner: OwnerId, serial: Serial, until: Time) {
        let now = book.now;
        let retry = &self.plan.served(serial).wiring.retry;
        let fate = book.fates[serial].clone();
        let watched = book.owners.entry(owner).or_default();
        let wait = until.since(now);
        let asked = match watched.given.remove(&serial) {
            Some(Given::Retry(asked) | Given::Whole(asked)) => asked,
            _ => None,
        };
        // A door's record charges for deaths that this run never saw.
        let before = if self.plan.door {
            fate.kills + fate.accidents + fate.charges
        } else {
            0
        };
        let charged = watched.charged(serial) + before;
        let (least, most) = match asked {
            Some((least, most)) => (retry.clamp(least), retry.clamp(most)),
            None => (
                Duration::ZERO,
                retry.longest_wait(charged.saturating_sub(1)),
            ),
        };
        watched.waits.insert(serial, (now + wait.max(least), now));
        if wait < least || wait > most {
            book.violate(format!(
                "#{serial} waits {wait:?}, which is not between {least:?} and {most:?}"
            ));
        }
    }

    /// A letter is the original, and there is a reason for it.
    pub(super) fn judge_letter(
        &self,
        book: &mut Book,
        owner: OwnerId,
        what: &Publication,
        text: &str,
    ) {
        let Some(serial) = serial_in(text) else {
            return book.violate("a letter is nobody's".into());
        };
        let fate = &mut book.fates[serial];
        fate.letters += 1;
        let original = fate.original.clone();
        let (kills, accidents, condemned) = (fate.kills, fate.accidents, fate.condemned);
        let charges = fate.charges;
        let broken = self.plan.events[serial].form == Form::Broken;
        let limit = self.plan.served(serial).wiring.retry.attempts;
        let watched = book.owners.entry(owner).or_default();
        let retries = watched.attempts.get(&serial).copied().unwrap_or(0);
        let deaths = watched.deaths.get(&serial).copied().unwrap_or(0);
        // A door's own deaths are told by its record alone; that may keep what an answer has cleared, if a death was quicker.
        let spent = match self.plan.door {
            true => charges.max(retries) + kills + accidents,
            false => retries + deaths.min(kills + accidents),
        };
        let unjust = !broken && !condemned && spent < limit;
        let changed = original.is_none_or(|original| {
            let kept = original
                .headers
                .iter()
                .all(|header| what.headers.contains(header));
            original.body != what.body || original.key != what.key || !kept
        });
        let noted = what
            .headers
            .iter()
            .filter(|header| header.name == dead_letter::NOTES)
            .count();
        if unjust {
            book.violate(format!(
                "#{serial} is a dead letter after {spent} of {limit} attempts, without a cause"
            ));
        }
        if changed || (noted != 1 && !self.plan.faults.notes_too_large) {
            book.violate(format!(
                "the letter of #{serial} is not the original with its notes"
            ));
        }
    }
}

impl Watched {
    fn charged(&self, serial: Serial) -> u32 {
        let of =
            |map: &std::collections::BTreeMap<Serial, u32>| map.get(&serial).copied().unwrap_or(0);
        of(&self.attempts) + of(&self.deaths)
    }
}

impl Line {
    /// An hour of sickness is over; whoever serves it sees that when it next starts something.
    fn recover(&mut self, now: Time) {
        let over = |since: Time| now.since(since) >= Duration::from_secs(3600);
        if self.sick_since.is_some_and(over) {
            self.sick_since = None;
        }
    }

    fn well(&mut self) {
        self.sick_since = None;
        self.answers.clear();
    }

    /// The last 20 answers, of at least two events, were all retries.
    fn retried(&mut self, serial: Serial, now: Time) {
        if self.sick_since.is_some() {
            return;
        }
        self.answers.push_back((serial, true));
        if self.answers.len() > 20 {
            self.answers.pop_front();
        }
        let several = self.answers.iter().any(|(other, _)| *other != serial);
        if self.answers.len() == 20 && several && self.sick_since.is_none() {
            self.sick_since = Some(now);
            self.answers.clear();
        }
    }
}

/// An observation in few words.
struct Short<'a>(What<'a>);

impl std::fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            What::Replied { topic, event } => write!(f, "Replied {topic} {}", event.id()),
            other => write!(f, "{other:?}"),
        }
    }
}
