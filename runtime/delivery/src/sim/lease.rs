//! The lease of an ordered NATS durable: who may hold it, for how long, and when another may take it.
//!
//! One record per durable in a key-value bucket, changed by compare-and-set alone. Its holder renews it every
//! [`RENEW`]; one who has not renewed for [`LET_GO`], by its own clock and counted from when it asked, holds it no more.
//! Another takes it when it is clean, or when its revision has stood still for [`TAKE`] on that one's own clock. The
//! server itself asks nobody for a lease: messages go to whoever pulls, and an acknowledgement counts whoever sent it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ledger::OwnerId;
use super::process::Process;
use crate::broker::Record;
use crate::clock::{Clock, Time};
use crate::engine::Planted;
use crate::engine::mistake::Mistake;

/// How often a holder renews.
pub(super) const RENEW: Duration = Duration::from_secs(3);

/// After so long without a renewal a holder lets go of everything.
pub(super) const LET_GO: Duration = Duration::from_secs(9);

/// A revision that stands still for so long is nobody's: what its holder had pending has run out of ack_wait by then.
pub(super) const TAKE: Duration = Duration::from_secs(12);

/// How often one who stands by looks.
const LOOK: Duration = Duration::from_millis(500);

/// What stands in the bucket for one durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    /// Grows with every change.
    revision: u64,
    holder: OwnerId,
    /// Its holder has not left.
    open: bool,
    /// What a door leaves for the next.
    record: Option<Record>,
}

/// The bucket. A clone is the same one.
#[derive(Clone, Default)]
pub(super) struct Bucket(Arc<Mutex<BTreeMap<Arc<str>, Entry>>>);

/// One who stands by: the revision it saw last, and since when.
#[derive(Debug, Default)]
struct Candidate(Option<(u64, Time)>);

/// A lease as its holder sees it. A clone is the same lease.
#[derive(Clone)]
pub(super) struct Lease {
    place: Place,
    held: Arc<Mutex<Held>>,
}

/// Whose lease it is, of what, and where it stands.
#[derive(Clone)]
struct Place {
    bucket: Bucket,
    durable: Arc<str>,
    process: Process,
    planted: Planted,
}

/// What a holder knows.
struct Held {
    /// As far as it knows; what it asked for later may have been done.
    revision: u64,
    /// When it asked for the last renewal that was granted.
    renewed: Time,
    /// It left, or heard that another has it.
    over: bool,
    record: Option<Record>,
}

impl Entry {
    fn is_of(&self, owner: OwnerId) -> bool {
        self.open && self.holder == owner
    }
}

impl Bucket {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, durable: &str) -> Option<Entry> {
        self.lock().get(durable).cloned()
    }

    /// Puts an entry in place of the one of its revision; what stands there now, if that is another.
    fn set(&self, durable: &Arc<str>, entry: Entry) -> Result<Entry, Entry> {
        let mut entries = self.lock();
        let known = entries.entry(Arc::clone(durable)).or_default();
        if known.revision != entry.revision {
            return Err(known.clone());
        }
        *known = Entry {
            revision: entry.revision + 1,
            ..entry
        };
        Ok(known.clone())
    }

    /// Who holds a durable.
    pub(super) fn holder(&self, durable: &str) -> Option<OwnerId> {
        Some(self.get(durable).filter(|entry| entry.open)?.holder)
    }
}

impl Candidate {
    /// Whether what stands there is anybody's to take.
    fn may_take(&mut self, entry: Option<&Entry>, now: Time, still: Duration) -> bool {
        let Some(entry) = entry.filter(|entry| entry.open) else {
            return true;
        };
        let since = match self.0 {
            Some((revision, since)) if revision == entry.revision => since,
            _ => now,
        };
        self.0 = Some((entry.revision, since));
        now.since(since) >= still
    }
}

impl Place {
    async fn try_to_take(&self, candidate: &mut Candidate) -> Option<Entry> {
        let failures = self.process.ledger.plan.faults.other;
        let still = match self.planted.is(Mistake::TakeOverEarly) {
            true => RENEW / 2,
            false => TAKE,
        };
        let owner = self.process.owner;
        let there = self.clone();
        let seen = self
            .process
            .ask(failures, move || there.bucket.get(&there.durable))
            .await
            .ok()?;
        let known = seen.as_ref().is_some_and(|entry| entry.is_of(owner));
        let now = self.process.world.now();
        if !candidate.may_take(seen.as_ref(), now, still) && !known {
            return None;
        }
        let entry = Entry {
            holder: owner,
            open: true,
            ..seen.unwrap_or_default()
        };
        let there = self.clone();
        let taken = self
            .process
            .ask(failures, move || there.bucket.set(&there.durable, entry))
            .await;
        mine(taken.ok()?, owner)
    }
}

impl Lease {
    /// Stands by until the lease is this one's.
    pub(super) async fn take(
        bucket: &Bucket,
        durable: &Arc<str>,
        process: &Process,
        planted: Planted,
    ) -> Self {
        let place = Place {
            bucket: bucket.clone(),
            durable: Arc::clone(durable),
            process: process.clone(),
            planted,
        };
        let mut candidate = Candidate::default();
        loop {
            let asked = process.world.now();
            if let Some(entry) = place.try_to_take(&mut candidate).await {
                return Self::of(place, entry, asked);
            }
            process.world.sleep(LOOK).await;
        }
    }

    fn of(place: Place, entry: Entry, asked: Time) -> Self {
        let held = Arc::new(Mutex::new(Held {
            revision: entry.revision,
            renewed: asked,
            over: false,
            record: entry.record,
        }));
        let (weak, there) = (Arc::downgrade(&held), place.clone());
        place.process.every(RENEW, move || {
            let place = there.clone();
            weak.upgrade()
                .is_some_and(|held| Self { place, held }.renew())
        });
        Self { place, held }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this one may still settle and give out what it holds.
    pub(super) fn is_held(&self) -> bool {
        let held = self.lock();
        let renewed = self.place.process.world.now().since(held.renewed) < LET_GO;
        !held.over && (renewed || self.place.planted.is(Mistake::KeepOldLease))
    }

    /// When it must look again whether it is.
    pub(super) fn ends(&self) -> Time {
        match self.place.planted.is(Mistake::KeepOldLease) {
            true => self.place.process.world.now() + RENEW,
            false => self.lock().renewed + LET_GO,
        }
    }

    /// What the last holder left.
    pub(super) fn record(&self) -> Option<Record> {
        self.lock().record.clone()
    }

    /// Who holds it, as the bucket has it.
    pub(super) fn holder(&self) -> Option<OwnerId> {
        self.place.bucket.holder(&self.place.durable)
    }

    /// The entry as this one would have it.
    fn entry(&self) -> Entry {
        let held = self.lock();
        Entry {
            revision: held.revision,
            holder: self.place.process.owner,
            open: true,
            record: held.record.clone(),
        }
    }

    /// Asks for one more term; whether there is reason to go on asking.
    fn renew(&self) -> bool {
        if !self.is_held() {
            return false;
        }
        let (asked, entry) = (self.place.process.world.now(), self.entry());
        let faults = self.place.process.ledger.plan.faults;
        let lease = self.clone();
        self.place.process.send(faults.progress, move || {
            let answer = lease.place.bucket.set(&lease.place.durable, entry);
            let process = lease.place.process.clone();
            process.send(faults.progress, move || {
                lease.answered(answer, asked);
            });
        });
        true
    }

    /// What a change came to. One that was granted and not heard of is this one's all the same.
    fn answered(&self, answer: Result<Entry, Entry>, asked: Time) -> bool {
        let mine = mine(answer, self.place.process.owner);
        let mut held = self.lock();
        match mine {
            Some(entry) => {
                held.revision = held.revision.max(entry.revision);
                held.renewed = held.renewed.max(asked);
                true
            }
            None => {
                held.over = true;
                false
            }
        }
    }

    /// Leaves a record; whether it is there.
    pub(super) async fn write(&self, record: &Record) -> Result<bool, &'static str> {
        let asked = self.place.process.world.now();
        let entry = Entry {
            record: Some(record.clone()),
            ..self.entry()
        };
        let (lease, written) = (self.clone(), entry.record.clone());
        let failures = self.place.process.ledger.plan.faults.other;
        let act = move || lease.place.bucket.set(&lease.place.durable, entry);
        let answer = self.place.process.ask(failures, act).await?;
        let there = answer.is_ok();
        if !self.answered(answer, asked) {
            return Ok(false);
        }
        if !there {
            // A renewal came in between: again, from its revision.
            return Err("the lease was renewed meanwhile");
        }
        self.lock().record = written;
        Ok(true)
    }

    /// Leaves it clean.
    pub(super) async fn leave(&self) {
        let entry = Entry {
            open: false,
            ..self.entry()
        };
        if std::mem::replace(&mut self.lock().over, true) {
            return;
        }
        let (bucket, durable) = (self.place.bucket.clone(), Arc::clone(&self.place.durable));
        let failures = self.place.process.ledger.plan.faults.other;
        // Where it does not arrive the next one waits.
        let _ = self
            .place
            .process
            .ask(failures, move || bucket.set(&durable, entry).is_ok())
            .await;
    }
}

/// An entry that this one put there, now or before.
fn mine(answer: Result<Entry, Entry>, owner: OwnerId) -> Option<Entry> {
    answer
        .or_else(|there| match there.is_of(owner) {
            true => Ok(there),
            false => Err(()),
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_origin(Duration::from_secs(seconds))
    }

    fn entry(revision: u64, open: bool) -> Entry {
        Entry {
            revision,
            holder: 1,
            open,
            record: None,
        }
    }

    #[test]
    fn a_lease_is_taken_when_it_is_clean_or_has_stood_still() {
        let mut candidate = Candidate::default();
        assert!(candidate.may_take(None, at(0), TAKE));
        assert!(candidate.may_take(Some(&entry(7, false)), at(0), TAKE));
        assert!(!candidate.may_take(Some(&entry(7, true)), at(0), TAKE));
        assert!(!candidate.may_take(Some(&entry(7, true)), at(11), TAKE));
        assert!(!candidate.may_take(Some(&entry(8, true)), at(11), TAKE));
        assert!(!candidate.may_take(Some(&entry(8, true)), at(22), TAKE));
        assert!(candidate.may_take(Some(&entry(8, true)), at(23), TAKE));
    }

    #[test]
    fn an_entry_is_changed_by_whoever_knows_its_revision() {
        let (bucket, durable) = (Bucket::default(), Arc::from("d"));
        assert_eq!(bucket.holder(&durable), None);
        assert_eq!(bucket.set(&durable, entry(0, true)), Ok(entry(1, true)));
        let other = Entry {
            holder: 2,
            ..entry(0, true)
        };
        assert_eq!(bucket.set(&durable, other.clone()), Err(entry(1, true)));
        assert_eq!(mine(Err(entry(1, true)), 2), None);
        assert_eq!(mine(Err(entry(1, true)), 1), Some(entry(1, true)));
        assert_eq!(bucket.set(&durable, entry(1, false)), Ok(entry(2, false)));
        assert_eq!(bucket.holder(&durable), None);
    }
}
