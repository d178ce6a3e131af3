//! The end of what an owner holds: drained, handed over, or lost.

use std::sync::Arc;

use super::event::{Id, Phase};
use super::subscription::{Log, LogPhase, Phase as Open, Writing};
use super::{Output, Owner};
use crate::engine::mistake::Mistake;
use crate::observe::{State, What};

impl Owner {
    /// Finish what runs, hand back the rest, end.
    pub(super) fn drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        for index in 0..self.subscriptions.len() {
            self.tell(index, None, What::State(State::Draining));
            match self.subscriptions[index].phase {
                Open::Open => self.quit(index),
                Open::Opening => {
                    self.subscriptions[index].phase = Open::Closing;
                    self.outputs.push_back(Output::Close(index));
                }
                Open::Leaving | Open::Closing | Open::Closed => {}
            }
        }
    }

    /// What is held may come to others: finish what runs, let go of the rest, begin again.
    pub(super) fn interrupted(&mut self, index: usize) {
        if self.subscriptions[index].phase == Open::Open {
            self.quit(index);
        }
    }

    fn quit(&mut self, index: usize) {
        self.subscriptions[index].phase = Open::Leaving;
        for log in 0..self.logs.len() {
            if self.logs[log].subscription == index && self.logs[log].phase == LogPhase::Held {
                self.vacate(log);
            }
        }
    }

    pub(super) fn revoking(&mut self, index: usize, name: &Arc<str>) {
        let planted = self.settings.planted;
        if let Some(log) = self
            .log(index, name)
            .filter(|log| self.logs[*log].phase == LogPhase::Held)
            .filter(|_| !planted.is(Mistake::StartRevoked))
        {
            self.vacate(log);
        }
    }

    /// Lets go of every event of a log that is not at work, and of all behind it in its lane.
    pub(super) fn vacate(&mut self, log: usize) {
        self.logs[log].phase = LogPhase::Leaving;
        let events: Vec<Id> = self
            .by_position
            .range((log, 0)..=(log, u64::MAX))
            .map(|(_, id)| *id)
            .collect();
        for id in events {
            let Some(held) = self.held.get(&id) else {
                continue;
            };
            let idle = match &held.phase {
                Phase::Waiting(_) | Phase::Recording => true,
                Phase::Finishing(finish) => !finish.busy && !self.logs[log].is_complete(),
                Phase::Calling(_) => false,
            };
            if !idle {
                continue;
            }
            let behind: Vec<Id> = match held.lane {
                Some(lane) => self
                    .lanes
                    .queue(lane)
                    .skip_while(|other| *other != id)
                    .collect(),
                None => vec![id],
            };
            // From the end on, so that none of them has its turn in between.
            for id in behind.into_iter().rev() {
                if self.held.get(&id).is_some_and(|held| held.log == log) {
                    self.let_go_of(id);
                }
            }
        }
    }

    fn let_go_of(&mut self, id: Id) {
        let Some(held) = self.held.get(&id) else {
            return;
        };
        self.tell(held.subscription, Some(held), What::LetGo);
        // Its attempt is written down, and will not be made.
        if matches!(held.phase, Phase::Recording) {
            self.logs[held.log].charge(held.message.position.offset, held.attempts);
        }
        self.forget(id);
    }

    /// What is held belongs to others: let go of all of it, settle nothing, begin again.
    pub(super) fn lost(&mut self, index: usize) {
        if !matches!(self.subscriptions[index].phase, Open::Open | Open::Leaving) {
            return;
        }
        if self.settings.planted.is(Mistake::SettleWhenLost) {
            return self.interrupted(index);
        }
        self.subscriptions[index].phase = Open::Leaving;
        let ids: Vec<Id> = self
            .held
            .iter()
            .filter(|(_, held)| held.subscription == index)
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter().rev().for_each(|id| self.let_go_of(id));
        let logs = self.logs.iter_mut();
        let lost = logs.filter(|log| log.subscription == index);
        lost.for_each(Log::gone);
    }

    /// The same of one log that was about to go.
    pub(super) fn lost_log(&mut self, log: usize) {
        let events = self.by_position.range((log, 0)..=(log, u64::MAX));
        let events: Vec<Id> = events.map(|(_, id)| *id).collect();
        events.into_iter().rev().for_each(|id| self.let_go_of(id));
        self.logs[log].gone();
    }

    /// Ends what has nothing at work any more.
    pub(super) fn leave(&mut self) {
        for log in 0..self.logs.len() {
            if self.logs[log].phase != LogPhase::Leaving {
                continue;
            }
            // A call that ended without a verdict left its event waiting.
            self.vacate(log);
            if self.logs[log].held == 0 {
                self.depart(log);
            }
        }
        for index in 0..self.subscriptions.len() {
            let left = self
                .logs
                .iter()
                .all(|log| log.subscription != index || log.phase == LogPhase::Gone);
            if self.subscriptions[index].phase == Open::Leaving && left {
                self.subscriptions[index].phase = Open::Closing;
                self.outputs.push_back(Output::Close(index));
            }
        }
        let closed = self
            .subscriptions
            .iter()
            .all(|subscription| subscription.phase == Open::Closed);
        if self.draining && closed && !std::mem::replace(&mut self.ended, true) {
            self.outputs.push_back(Output::Ended);
        }
    }

    /// The last step of a log: its record is left clean, where it has one.
    fn depart(&mut self, index: usize) {
        let door = self.settings.door;
        let log = &mut self.logs[index];
        if door && log.record.open {
            log.record.open = false;
            log.record.unclean = 0;
            if !matches!(log.writing, Writing::Running(_)) {
                log.writing = Writing::Wanted(0);
                self.write(index);
            }
            return;
        }
        // What is on its way is answered, and what was refused has its time.
        if log.writing != Writing::Done {
            return;
        }
        log.phase = LogPhase::Gone;
        let (subscription, name) = (log.subscription, Arc::clone(&log.name));
        self.outputs.push_back(Output::Leave(subscription, name));
    }

    pub(super) fn closed(&mut self, index: usize) {
        let subscription = &mut self.subscriptions[index];
        if subscription.phase != Open::Closing {
            return;
        }
        subscription.settled.clear();
        if self.draining {
            subscription.phase = Open::Closed;
            return;
        }
        subscription.phase = Open::Opening;
        self.outputs.push_back(Output::Open(index));
    }
}
