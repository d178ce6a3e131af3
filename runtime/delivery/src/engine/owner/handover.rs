//! What one owner leaves for the next, and what the next makes of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::event::Id;
use super::subscription::{Asked, Handover, Log, LogPhase, Phase, Writing};
use super::{Output, Owner, Timer};
use crate::broker::{Assignment, Position, Record, SourceError};
use crate::engine::mistake::Mistake;
use crate::observe::{State, What};

/// While messages of the last owner are missing, the broker is asked that often how many are out; and a last record that it
/// does not take is written again by then.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Owners that ended uncleanly at one position before what was pending is suspect.
const UNCLEAN_ENDS: u32 = 2;

impl Owner {
    pub(super) fn opened(&mut self, index: usize, progress: Option<Duration>) {
        let subscription = &mut self.subscriptions[index];
        if subscription.phase != Phase::Opening {
            return;
        }
        subscription.phase = Phase::Open;
        subscription.progress = progress;
        subscription.came = Default::default();
        subscription.allowed = Default::default();
        if let Some(every) = progress {
            self.wake(self.now + every, Timer::Progress(index));
        }
        self.tell(index, None, What::State(State::Ready));
    }

    pub(super) fn assigned(&mut self, index: usize, assignment: Assignment) {
        if let Some(waiting) = assignment.created {
            let start = self.settings.wiring.start;
            self.tell(index, None, What::State(State::Began { start, waiting }));
        }
        let before = assignment.record.unwrap_or_default();
        let unclean = match before.open {
            true if before.floor == assignment.floor => before.unclean + 1,
            true => 1,
            false => 0,
        };
        let record = Record {
            open: true,
            floor: assignment.floor,
            unclean,
            suspects: before.suspects,
        };
        let door = self.settings.door;
        let pending = assignment
            .delivered
            .filter(|_| self.subscriptions[index].ordered && assignment.shuffled);
        let planted = self.settings.planted.is(Mistake::IgnoreHandover);
        let handover = pending.filter(|_| !planted).map(|up_to| Handover {
            up_to,
            complete: false,
            let_go: BTreeSet::new(),
            asking: None,
        });
        let log = Log {
            subscription: index,
            name: assignment.log,
            phase: LogPhase::Held,
            held: 0,
            settles: 0,
            handover,
            record,
            writing: if door {
                Writing::Wanted(0)
            } else {
                Writing::Done
            },
            suspect_up_to: assignment
                .delivered
                .filter(|_| door && unclean >= UNCLEAN_ENDS),
        };
        if let Some(attempts) = log
            .record
            .suspects
            .iter()
            .map(|(_, attempts)| *attempts)
            .max()
            .filter(|_| door)
        {
            let wait = self.draw(attempts.saturating_sub(1));
            self.suspects.at = self.suspects.at.max(self.now + wait);
        }
        let index_of_log = match self.log(index, &log.name) {
            Some(known) => {
                let held = self.logs[known].held;
                self.logs[known] = Log { held, ..log };
                known
            }
            None => {
                self.logs.push(log);
                self.logs.len() - 1
            }
        };
        self.write(index_of_log);
        self.ask_pending(index_of_log);
        // One that comes while its subscription ends goes again at once.
        if self.subscriptions[index].phase != Phase::Open {
            self.vacate(index_of_log);
        }
    }

    /// Where a log stands, whether it is ours or was.
    pub(super) fn log(&self, index: usize, name: &Arc<str>) -> Option<usize> {
        self.logs
            .iter()
            .position(|log| log.subscription == index && log.name == *name)
    }

    pub(super) fn position(&self, at: (usize, u64)) -> Position {
        Position {
            log: Arc::clone(&self.logs[at.0].name),
            offset: at.1,
        }
    }

    /// Writes a record that wants to be written.
    pub(super) fn write(&mut self, index: usize) {
        let log = &mut self.logs[index];
        let Writing::Wanted(failures) = log.writing else {
            return;
        };
        log.writing = Writing::Running(failures);
        let (subscription, name, record) =
            (log.subscription, Arc::clone(&log.name), log.record.clone());
        self.outputs
            .push_back(Output::Record(index, subscription, name, record));
    }

    pub(super) fn recorded(
        &mut self,
        index: usize,
        written: Record,
        result: Result<(), SourceError>,
    ) {
        let log = &mut self.logs[index];
        let Writing::Running(failures) = log.writing else {
            return;
        };
        match result {
            Ok(()) if log.record == written => {
                log.writing = Writing::Done;
                self.begin_recorded(index);
            }
            Ok(()) => {
                log.writing = Writing::Wanted(0);
                self.write(index);
            }
            // Its record is whose it is now.
            Err(SourceError::Lost) if log.phase == LogPhase::Leaving => self.lost_log(index),
            Err(SourceError::Lost) => {
                let subscription = log.subscription;
                self.lost(subscription);
            }
            Err(SourceError::Unavailable(reason)) => {
                log.writing = Writing::Wanted(failures.saturating_add(1));
                let subscription = log.subscription;
                self.tell(
                    subscription,
                    None,
                    What::Repeating {
                        step: "record",
                        reason: &reason,
                    },
                );
                let wait = self.draw(failures);
                // What is left for the last time holds up who comes next, and a drain.
                let wait = match self.logs[index].phase {
                    LogPhase::Leaving => wait.min(ASK_AGAIN),
                    LogPhase::Held | LogPhase::Gone => wait,
                };
                self.wake(self.now + wait, Timer::Log(index));
            }
        }
    }

    /// A record or a count is asked for again.
    pub(super) fn ask_again(&mut self, index: usize) {
        if self.logs[index].phase != LogPhase::Gone {
            self.write(index);
            self.ask_pending(index);
        }
    }

    fn ask_pending(&mut self, index: usize) {
        let log = &self.logs[index];
        if log
            .handover
            .as_ref()
            .is_none_or(|handover| handover.asking.is_some())
        {
            return;
        }
        // One whose settling is on its way may count there or not.
        let sure = self.by_position.range((index, 0)..=(index, u64::MAX));
        let sure = sure
            .filter(|(_, id)| self.held.get(id).is_some_and(|held| !held.is_settling()))
            .count();
        let log = &mut self.logs[index];
        let Some(handover) = &mut log.handover else {
            return;
        };
        handover.asking = Some(Asked {
            held: sure,
            let_go: handover.let_go.len(),
            settles: log.settles,
        });
        self.outputs.push_back(Output::AskPending(
            index,
            log.subscription,
            Arc::clone(&log.name),
        ));
    }

    /// So many are out: those that were held here or let go when that was asked, and those of the last owner that are
    /// still to come. What came meanwhile may be counted there, so it counts as missing until it is asked again.
    pub(super) fn pending(&mut self, index: usize, result: Result<usize, SourceError>) {
        let now = self.now;
        let log = &mut self.logs[index];
        let subscription = log.subscription;
        let Some(handover) = &mut log.handover else {
            return;
        };
        let Some(Asked {
            held,
            let_go,
            settles,
        }) = handover.asking.take()
        else {
            return;
        };
        if let Ok(out) = result {
            // What was settled since then is out no more, and would pass for one that came back.
            if out <= held && settles == log.settles {
                handover.let_go.clear();
            }
            let missing = out.saturating_sub(held + let_go);
            handover.complete |= missing == 0;
            let complete = handover.complete;
            if complete && handover.let_go.is_empty() {
                log.handover = None;
            } else {
                self.wake(now + ASK_AGAIN, Timer::Log(index));
                self.tell(
                    subscription,
                    None,
                    What::State(State::TakingOver { pending: missing }),
                );
            }
            if complete {
                self.finish_waiting(index);
            }
            return;
        }
        self.wake(now + ASK_AGAIN, Timer::Log(index));
    }

    /// What needs no call has waited for the hand-over too, so that what is out could be counted.
    fn finish_waiting(&mut self, index: usize) {
        let events: Vec<Id> = self
            .by_position
            .range((index, 0)..=(index, u64::MAX))
            .map(|(_, id)| *id)
            .collect();
        for id in events {
            let lane = self.held.get(&id).map(|held| held.lane);
            if lane.is_some_and(|lane| lane.is_none_or(|lane| self.lanes.head(lane) == Some(id))) {
                self.finish(id);
            }
        }
    }
}
