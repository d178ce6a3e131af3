//! What became of every event, read from the topics.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use super::broker::Broker;
use super::fate::{Fate, HOPS, Work, letters, topic};

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that were published.
    pub events: usize,
    /// Those that came to the end of the chain.
    pub passed: usize,
    /// Those that are a dead letter.
    pub dead: usize,
    /// Those that are neither.
    pub lost: usize,
    /// Inputs of a function that were settled with neither a reply nor a dead letter.
    pub settled_for_nothing: usize,
    /// Events that came to a topic for the first time after a later one of their key had.
    pub out_of_order: usize,
    /// Dead letters of events that nobody rejects and that kill nobody.
    pub dead_without_cause: usize,
    /// Messages that say again what an earlier one had said.
    pub duplicates: usize,
    /// Those of them that are replies.
    pub replied_again: usize,
}

impl Counts {
    /// Reads all topics, when all is settled.
    pub(super) async fn of(broker: &impl Broker, work: &[Work]) -> Self {
        let mut counts = Self {
            events: work.len(),
            ..Self::default()
        };
        let mut given = counts.read(broker, &topic(0)).await;
        assert_eq!(given.len(), work.len(), "what was published was not stored");
        let mut dead = BTreeSet::new();
        for hop in 0..HOPS.len() {
            let before = counts.duplicates;
            let replied = counts.read(broker, &topic(hop + 1)).await;
            counts.replied_again += counts.duplicates - before;
            let letters = counts.read(broker, &letters(hop)).await;
            let done = |number: &&usize| replied.contains(*number) || letters.contains(*number);
            counts.settled_for_nothing += given.len() - given.iter().filter(done).count();
            let caused = |number: &&usize| {
                [Fate::Rejected(hop), Fate::Kills(hop)].contains(&work[**number].fate)
            };
            counts.dead_without_cause += letters.len() - letters.iter().filter(caused).count();
            dead.extend(letters);
            given = replied;
        }
        counts.passed = given.len();
        counts.dead = dead.len();
        let ended = |work: &&Work| given.contains(&work.number) || dead.contains(&work.number);
        counts.lost = work.len() - work.iter().filter(ended).count();
        counts
    }

    /// The numbers of the events in a topic, with their order checked and repetitions counted.
    async fn read(&mut self, broker: &impl Broker, topic: &str) -> HashSet<usize> {
        let mut seen = HashSet::new();
        let mut last = HashMap::new();
        for body in broker.bodies(topic).await {
            let work: Work = serde_json::from_slice(&body).expect("an event of this run");
            if !seen.insert(work.number) {
                self.duplicates += 1;
                continue;
            }
            let last = last.entry(work.key).or_insert(work.number);
            if work.number < *last {
                self.out_of_order += 1;
            }
            *last = work.number.max(*last);
        }
        seen
    }

    /// Whether every promise was kept; duplicates are none.
    pub fn kept(&self) -> bool {
        let broken = [
            self.lost,
            self.settled_for_nothing,
            self.out_of_order,
            self.dead_without_cause,
        ];
        broken == [0; 4]
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("events", self.events),
            ("passed the chain", self.passed),
            ("dead letters", self.dead),
            ("lost", self.lost),
            ("settled without reply or letter", self.settled_for_nothing),
            ("out of order", self.out_of_order),
            ("dead without cause", self.dead_without_cause),
            ("duplicates", self.duplicates),
            ("of them replies", self.replied_again),
        ];
        for (what, count) in lines {
            writeln!(f, "{what:<32}{count:>8}")?;
        }
        Ok(())
    }
}
