//! What the engine says of itself, held against what is known.

use std::time::Duration;

use super::ledger::{Book, Given, Ledger, OwnerId, Serial, Watched, serial_in};
use super::plan::Form;
use crate::broker::Publication;
use crate::clock::Time;
use crate::dead_letter;
use crate::observe::{Observation, Observer, What};

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
            .and_then(|position| book.serials.get(&position.offset).copied());
        book.note(|| {
            format!(
                "engine {owner}: {} {:?}",
                serial.map_or(String::new(), |serial| format!("#{serial}")),
                Short(seen.what)
            )
        });
        let Some(serial) = serial else { return };
        match seen.what {
            What::Received => self.received(&mut book, owner, serial),
            What::Started { .. } => self.started(&mut book, owner, serial),
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
                watched.attempts.remove(&serial);
                watched.deaths.remove(&serial);
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
        let (window, budget) = (self.plan.wiring.window, self.plan.budget);
        let watched = book.owners.entry(owner).or_default();
        watched.held.insert(serial, size);
        let (held, bytes) = (watched.held.len(), watched.held.values().sum::<usize>());
        if held > window + watched.inherited {
            book.violate(format!("{held} inputs are held, the window is {window}"));
        } else if bytes > budget && held > 1 && watched.inherited == 0 {
            book.violate(format!("{bytes} bytes are held, the budget is {budget}"));
        }
    }

    fn started(&self, book: &mut Book, owner: OwnerId, serial: Serial) {
        let now = book.now;
        let attempts = self.plan.wiring.retry.attempts;
        let calm = self.plan.calm;
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
        // What an earlier call was told, and the engine had no use for, says nothing of this one.
        watched.given.remove(&serial);
        watched.in_flight.insert(serial, 0);
        let others = watched.in_flight.len() > 1;
        if others
            && watched
                .in_flight
                .keys()
                .any(|other| watched.suspects.contains(other))
        {
            wrong.push(format!(
                "#{serial} starts while a suspect runs, or is one and not alone"
            ));
        }
        wrong.into_iter().for_each(|wrong| book.violate(wrong));
    }

    fn answered(&self, book: &mut Book, owner: OwnerId, serial: Serial) {
        let now = book.now;
        let watched = book.owners.entry(owner).or_default();
        watched.in_flight.remove(&serial);
        watched.suspects.remove(&serial);
        // What nobody gave is the deadline's 504.
        let given = watched
            .given
            .get(&serial)
            .copied()
            .unwrap_or(Given::Retry(None));
        match given {
            Given::Done => {
                watched.done.insert(serial);
                watched.well();
            }
            Given::Rejected => watched.well(),
            Given::Retry(_) => {
                if !watched.is_sick(now) {
                    *watched.attempts.entry(serial).or_default() += 1;
                }
                watched.retried(serial, now);
            }
        }
    }

    /// The engine says until when it waits: as drawn within its bounds, or as it was asked.
    fn waits(&self, book: &mut Book, owner: OwnerId, serial: Serial, until: Time) {
        let now = book.now;
        let retry = &self.plan.wiring.retry;
        let fate = book.fates[serial].clone();
        let watched = book.owners.entry(owner).or_default();
        let wait = until.since(now);
        let asked = match watched.given.remove(&serial) {
            Some(Given::Retry(asked)) => asked,
            _ => None,
        };
        // A door's record charges for deaths that this run never saw.
        let before = if self.plan.door {
            fate.kills + fate.accidents
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
        let broken = self.plan.events[serial].form == Form::Broken;
        let limit = self.plan.wiring.retry.attempts;
        let watched = book.owners.entry(owner).or_default();
        let retries = watched.attempts.get(&serial).copied().unwrap_or(0);
        let deaths = watched.deaths.get(&serial).copied().unwrap_or(0);
        // A door's own deaths are told by its record alone.
        let spent = retries
            + if self.plan.door {
                kills + accidents
            } else {
                deaths.min(kills + accidents)
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

    fn is_sick(&mut self, now: Time) -> bool {
        if self
            .sick_since
            .is_some_and(|since| now.since(since) >= Duration::from_secs(3600))
        {
            self.sick_since = None;
        }
        self.sick_since.is_some()
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
