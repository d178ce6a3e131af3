//! What happens to the whole.

use std::time::Duration;

use super::{Playing, Stage};
use crate::clock::Clock;
use crate::sim::ledger::Serial;
use crate::sim::plan::{Kind, What};

/// How often, and how many times, it is looked for something that can be forgotten.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 1_000;

impl Stage {
    /// Lets it happen.
    pub(super) fn trouble(&self, what: What) {
        self.ledger.note(|| format!("trouble: {what:?}"));
        let playing: Vec<Playing> = self.lock().iter().flatten().cloned().collect();
        let some = playing
            .get(self.world.below(playing.len() as u64) as usize)
            .cloned();
        let now = self.world.now();
        let function = &self.functions[self.world.below(self.functions.len() as u64) as usize];
        match (what, some) {
            (What::Crash(polls), Some(engine)) => {
                self.ledger.blame_nobody();
                self.world.kill(engine.task, polls);
            }
            (What::Pause(long), Some(engine)) => self.pause(&engine, long),
            (What::HandOver, Some(engine)) => engine.drain(),
            (What::Evict, _) => self.evict(),
            (What::Rebalance, _) => self.brokers.cluster.rebalance(&self.one_durable()),
            (What::Outage(long), _) => function.outage(long),
            (What::Apart(long), _) => self.keep_apart(long),
            (What::Sickness(long), _) => function.sicken(long),
            (What::LettersAway(long), _) => self.brokers.away.letters(now + long),
            (What::BrokerAway(long), _) => self.brokers.away.all(now + long),
            (What::Forgets, _) => self.forget(LOOKS),
            (What::Retention, _) => self.remove_one(),
            (What::Kill, _) => function.die(None),
            (_, None) => {}
        }
    }

    /// The durable or group of one of the subscriptions.
    fn one_durable(&self) -> String {
        let count = self.plan.subscriptions().count() as u64;
        let place = self.world.below(count) as usize;
        let found = self.plan.subscriptions().nth(place);
        found.map_or(String::new(), |(wiring, topic)| wiring.durable(topic))
    }

    fn evict(&self) {
        self.ledger.blame_nobody();
        let durable = self.one_durable();
        match self.plan.kind {
            Kind::Partitions(_) => self.brokers.cluster.evict(&durable),
            Kind::Bus | Kind::Leased => self.brokers.bus.evict(&durable),
        }
    }

    /// The server crashes as soon as there is something that it can forget.
    fn forget(&self, looks: u32) {
        let crash = |durable: &str| self.brokers.crash(durable, &self.world);
        let mut subscriptions = self.plan.subscriptions();
        let forgets = subscriptions.any(|(wiring, topic)| crash(&wiring.durable(topic)));
        if forgets {
            self.ledger
                .note(|| "broker: crashed, and has forgotten".into());
        } else if looks > 0 {
            let stage = self.clone();
            self.world.after(LOOK, move || stage.forget(looks - 1));
        }
    }

    fn pause(&self, engine: &Playing, long: Duration) {
        engine.process.pause(long);
        self.world.pause(engine.task, long);
        let mut book = self.ledger.open();
        let owner = book.owners.entry(engine.process.owner).or_default();
        owner.paused = true;
    }

    /// The first function is down, and in the end of that nothing of the others is left.
    fn keep_apart(&self, long: Duration) {
        self.functions[0].outage(long);
        let ledger = self.ledger.clone();
        self.world.after(long, move || ledger.judge_others(0));
    }

    /// Retention removes a message that is not settled and that nobody holds; of a partition all before it too.
    fn remove_one(&self) {
        let mut book = self.ledger.open();
        let held = |serial: &Serial| {
            book.owners
                .values()
                .any(|watched| watched.held.contains_key(serial))
        };
        let found = book
            .serials
            .iter()
            .rfind(|(_, serial)| !book.fates[**serial].settled && !held(serial));
        let Some((position, _)) = found else { return };
        let position = position.clone();
        let gone = match self.plan.kind {
            Kind::Partitions(_) => self.brokers.cluster.expire(&position),
            Kind::Bus | Kind::Leased => {
                self.brokers.bus.delete(&position.log, position.offset);
                vec![position]
            }
        };
        for position in gone {
            let Some(serial) = book.serials.get(&position).copied() else {
                continue;
            };
            book.fates[serial].gone = true;
            book.note(|| format!("broker: #{serial} is gone"));
        }
    }
}
