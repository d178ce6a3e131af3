//! A member of a group, as an engine's source.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Cluster;
use super::claim::{Group, Joined};
use super::seat::{Mine, Seat};
use crate::broker::{Demand, Position, Record, SourceError, SourceEvent, Subscription};
use crate::clock::Clock;
use crate::engine::Planted;
use crate::sim::process::Process;

/// How often a member says that it is there, and commits.
const BEAT: Duration = Duration::from_secs(2);

/// One member of a group.
pub(in crate::sim) struct GroupSource {
    seat: Arc<Seat>,
}

impl GroupSource {
    pub(in crate::sim) fn join(
        cluster: &Cluster,
        subscription: &Subscription,
        process: &Process,
        planted: Planted,
    ) -> Self {
        let (topic, group) = (&subscription.topic, &subscription.durable);
        let Joined {
            member,
            bell,
            created,
        } = cluster.join(topic, group, process.owner);
        let mine = Mine {
            created,
            ..Mine::default()
        };
        let seat = Arc::new(Seat {
            cluster: cluster.clone(),
            process: process.clone(),
            planted,
            topic: Arc::clone(topic),
            group: Arc::clone(group),
            member,
            window: subscription.window,
            bell,
            mine: Mutex::new(mine),
        });
        let weak = Arc::downgrade(&seat);
        process.every(BEAT, move || weak.upgrade().is_some_and(|seat| seat.beat()));
        Self { seat }
    }

    pub(in crate::sim) async fn next(&self) -> SourceEvent {
        let seat = &self.seat;
        let world = &seat.process.world;
        loop {
            if let Some(event) = seat.look() {
                if matches!(event, SourceEvent::Message(_)) && world.chance(300) {
                    world.sleep(world.latency()).await;
                }
                if matches!(event, SourceEvent::Lost(_)) {
                    world.sleep(world.latency()).await;
                    seat.process.ledger.blame_nobody();
                    seat.lock().lost = Some(world.now());
                }
                return event;
            }
            seat.bell.notified().await;
        }
    }

    pub(in crate::sim) fn demand(&self, demand: Demand) {
        self.seat.lock().demand = demand;
        self.seat.bell.notify_one();
    }

    /// Notes it for the next commit; an engine settles nothing else than what it was given and has not given back.
    pub(in crate::sim) fn settle(&self, position: &Position) -> Result<(), SourceError> {
        let seat = &self.seat;
        let (ledger, owner) = (&seat.process.ledger, seat.process.owner);
        let now = seat.process.world.now();
        let mut mine = seat.lock();
        let lost = mine.lost;
        let Some(held) = mine
            .partitions
            .get_mut(&partition_of(&position.log))
            .filter(|_| lost.is_none_or(|lost| lost == now))
        else {
            drop(mine);
            ledger
                .open()
                .violate(format!("{position} is settled by {owner}, whose it is not"));
            return Err(SourceError::Lost);
        };
        held.offsets.finish(position.offset);
        held.changed = true;
        drop(mine);
        ledger.finished(owner, position);
        Ok(())
    }

    pub(in crate::sim) fn lag(&self) -> Result<u64, SourceError> {
        let seat = &self.seat;
        let mine = seat.lock();
        let lag = mine.partitions.iter().map(|(partition, held)| {
            let position = held.offsets.position();
            let left = seat.cluster.left(&seat.topic, *partition, position);
            held.offsets.unfinished(&left)
        });
        Ok(lag.sum::<usize>() as u64)
    }

    pub(in crate::sim) async fn record(
        &self,
        log: &str,
        record: &Record,
    ) -> Result<(), SourceError> {
        let seat = Arc::clone(&self.seat);
        let partition = partition_of(log);
        let Some((sent, commit)) = seat.prepare(partition, Some(record)) else {
            return Err(SourceError::Lost);
        };
        let failures = seat.process.ledger.plan.faults.other;
        let there = Arc::clone(&seat);
        let act = move || there.commit(sent, partition, &commit);
        match seat.process.ask(failures, act).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(SourceError::Lost),
            Err(why) => Err(SourceError::Unavailable(why.into())),
        }
    }

    /// Commits for the last time and gives the partition back.
    pub(in crate::sim) fn leave(&self, log: &str) {
        let seat = Arc::clone(&self.seat);
        let partition = partition_of(log);
        let last = seat.prepare(partition, None);
        seat.lock().partitions.remove(&partition);
        let Some((sent, commit)) = last else { return };
        let world = seat.process.world.clone();
        let kept = !world.chance(seat.process.ledger.plan.faults.settle);
        world.after(world.latency(), move || {
            if kept {
                seat.commit(sent, partition, &commit);
            }
            seat.give_back(partition);
        });
    }

    pub(in crate::sim) async fn close(&self) {
        let seat = Arc::clone(&self.seat);
        let held: Vec<usize> = seat.lock().partitions.keys().copied().collect();
        let last: Vec<_> = held
            .into_iter()
            .filter_map(|partition| Some((partition, seat.prepare(partition, None)?)))
            .collect();
        let failures = seat.process.ledger.plan.faults.other;
        let there = Arc::clone(&seat);
        let act = move || {
            for (partition, (sent, commit)) in last {
                there.commit(sent, partition, &commit);
            }
            let now = there.process.world.now();
            let part = |group: &mut Group| group.part(now, there.member);
            there.cluster.with(&there.group, part);
        };
        // Where it does not arrive the session ends it.
        let _ = seat.process.ask(failures, act).await;
    }
}

/// The number of a partition, which its log's name ends with.
fn partition_of(log: &str) -> usize {
    log.rsplit('/')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
