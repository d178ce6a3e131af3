//! A function that answers every way there is, and dies.

mod reach;
mod says;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

pub(super) use self::reach::Reach;
use self::says::{answer, whole};
use super::ledger::{Given, Ledger, OwnerId, Serial, serial_of};
use super::plan::{Nature, Served};
use super::world::{TaskId, World};
use crate::answer::{INTERNAL, RUNTIME};
use crate::call::{Call, Outcome, Payload};
use crate::clock::{Clock, Time};

/// The process of the function, whoever calls it. A clone is the same process.
#[derive(Clone)]
pub(super) struct Function {
    world: World,
    ledger: Ledger,
    index: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// It runs again from then on.
    up_at: Time,
    /// It cannot be reached until then.
    outage: Time,
    /// It answers nothing but retries until then.
    sick: Time,
    lives: u64,
    next: u64,
    running: BTreeMap<u64, Running>,
    /// The engine's own task, where the function is part of it.
    host: Option<TaskId>,
}

/// A call that the process works on.
struct Running {
    owner: OwnerId,
    serials: Vec<Serial>,
    answer: oneshot::Sender<Heard>,
}

/// An outcome, and what it says of whom.
type Heard = (Outcome, Vec<(Serial, Given)>);

impl Function {
    pub(super) fn new(world: World, ledger: Ledger, index: usize) -> Self {
        Self {
            world,
            ledger,
            index,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> &Served {
        &self.ledger.plan.functions[self.index]
    }

    pub(super) fn outage(&self, long: Duration) {
        self.lock().outage = self.world.now() + long;
    }

    pub(super) fn sicken(&self, long: Duration) {
        self.lock().sick = self.world.now() + long;
    }

    fn reachable(&self) -> bool {
        let now = self.world.now();
        let state = self.lock();
        now >= state.up_at && now >= state.outage
    }

    /// The process dies, with every call that it works on. `of` is the event that killed it, and whose call it was.
    pub(super) fn die(&self, of: Option<(Serial, OwnerId)>) {
        let restart = self.served().restart;
        let running = {
            let mut state = self.lock();
            state.lives += 1;
            state.up_at = self.world.now() + restart;
            std::mem::take(&mut state.running)
        };
        self.ledger
            .note(|| format!("function {}: dies of {of:?}", self.index));
        if let Some((serial, _)) = of {
            self.ledger.open().fates[serial].kills += 1;
        }
        if self.ledger.plan.door {
            let host = {
                let mut state = self.lock();
                state.up_at = Time::default();
                state.host.take()
            };
            host.into_iter().for_each(|host| self.world.kill(host, 0));
            return;
        }
        for call in running.into_values() {
            if of.is_none_or(|(serial, owner)| {
                owner != call.owner && !call.serials.contains(&serial)
            }) {
                self.accident(call.owner, &call.serials);
            }
            let outcome = match self.world.below(4) {
                0 => Outcome::Cut("connection reset".into()),
                1 => Outcome::CutShort("the answer ended early".into()),
                2 => answer(502, &[(INTERNAL, "gateway")], "Can't reach service"),
                _ => answer(500, &[(INTERNAL, "faas-netes")], "error"),
            };
            self.send(call.answer, (outcome, Vec::new()));
        }
    }

    /// The function is part of this task: what kills one kills the other.
    pub(super) fn live_in(&self, host: TaskId) {
        let mut state = self.lock();
        state.lives += 1;
        state.running.clear();
        state.host = Some(host);
    }

    /// A call ended, and the event in it had no part in that.
    fn accident(&self, owner: OwnerId, serials: &[Serial]) {
        let mut book = self.ledger.open();
        let suspect = |serial| {
            book.owners
                .get(&owner)
                .is_some_and(|watched| watched.suspects.contains(serial))
        };
        if let [serial] = serials
            && suspect(serial)
        {
            book.fates[*serial].accidents += 1;
        }
    }

    fn send(&self, to: oneshot::Sender<Heard>, what: Heard) {
        self.world
            .after(self.world.latency(), move || drop(to.send(what)));
    }

    /// A call is here.
    fn arrive(&self, owner: OwnerId, call: &Call, to: oneshot::Sender<Heard>) {
        let serials: Vec<Serial> = call
            .payload
            .events()
            .iter()
            .filter_map(|event| serial_of(event))
            .collect();
        if !self.reachable() {
            let outcome = match self.world.below(6) {
                0 => answer(
                    503,
                    &[(INTERNAL, "faas-netes"), ("retry-after", "2")],
                    "no endpoints",
                ),
                1 => answer(404, &[], ""),
                2 => answer(500, &[], "error finding function f"),
                3 => {
                    self.accident(owner, &serials);
                    answer(502, &[], "")
                }
                _ => Outcome::Refused("connection refused".into()),
            };
            return self.send(to, (outcome, Vec::new()));
        }
        let plan = Arc::clone(&self.ledger.plan);
        if self.lock().running.len() >= self.served().limit {
            let headers: &[_] = if self.world.chance(500) {
                &[("retry-after", "1")]
            } else {
                &[]
            };
            let headers = [headers, &[(INTERNAL, RUNTIME)]].concat();
            return self.send(to, (answer(429, &headers, "full"), Vec::new()));
        }
        self.ledger.arrived(owner, &serials);
        let work: Duration = serials
            .iter()
            .map(|serial| plan.events[*serial].service)
            .sum();
        let allowed = call.timeout.saturating_sub(Duration::from_secs(1));
        let (id, life) = {
            let mut state = self.lock();
            state.next += 1;
            let id = state.next;
            state.running.insert(
                id,
                Running {
                    owner,
                    serials: serials.clone(),
                    answer: to,
                },
            );
            (id, state.lives)
        };
        let (function, call) = (self.clone(), call.clone());
        self.world.after(work.min(allowed), move || {
            function.finish(id, life, owner, &call, &serials, work > allowed)
        });
    }

    /// The work on a call is done, unless the process died meanwhile.
    fn finish(
        &self,
        id: u64,
        life: u64,
        owner: OwnerId,
        call: &Call,
        serials: &[Serial],
        late: bool,
    ) {
        if self.lock().lives != life {
            return;
        }
        if let Some(killer) = serials.iter().find(|serial| self.kills(**serial)) {
            return self.die(Some((*killer, owner)));
        }
        let Some(running) = self.lock().running.remove(&id) else {
            return;
        };
        if late {
            // The runtime gives up by itself, one second before the engine does, and says so or says nothing.
            if self.world.chance(500) {
                let given = match serials {
                    [one] => vec![(*one, Given::Retry(None))],
                    several => whole(several, None),
                };
                self.send(
                    running.answer,
                    (
                        answer(504, &[("content-type", "text/plain")], "deadline"),
                        given,
                    ),
                );
            } else {
                std::mem::forget(running.answer);
            }
            return;
        }
        let heard = match &call.payload {
            Payload::One(_) => match self.one(serials[0], &call.payload.events()[0]) {
                Some(heard) => heard,
                None => return std::mem::forget(running.answer),
            },
            Payload::Batch(_) => self.batch(call, serials),
        };
        self.send(running.answer, heard);
    }

    fn kills(&self, serial: Serial) -> bool {
        let book = self.ledger.open();
        matches!(self.ledger.plan.events[serial].nature, Nature::Killer(times) if book.fates[serial].kills < times)
    }
}
