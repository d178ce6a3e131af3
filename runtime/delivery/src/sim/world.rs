//! Virtual time and the tasks that live in it: one thread, one order, no clock but this one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::clock::{Clock, Random, Seeded, Time};

/// The time of day at which every history begins: 2026-11-21T12:00:00Z.
const MORNING: Duration = Duration::from_secs(1_795_262_400);

/// A task in a world.
pub(super) type TaskId = u64;

/// Time, chance and tasks of one history. A clone is the same world.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<State>>);

struct State {
    now: Time,
    random: Seeded,
    next: u64,
    ready: VecDeque<TaskId>,
    queued: BTreeSet<TaskId>,
    due: BTreeMap<(Time, u64), Due>,
    born: Vec<(TaskId, Task)>,
    /// Tasks to be dropped after so many more polls.
    doomed: Vec<(TaskId, u64)>,
    /// Tasks that stand still until then, whatever happens to them.
    paused: BTreeMap<TaskId, Time>,
}

/// What happens at a moment.
enum Due {
    Wake(Waker),
    Act(Box<dyn FnOnce() + Send>),
}

struct Task {
    future: BoxFuture<'static, ()>,
    /// It is dropped after so many polls: a crash between any two awaits.
    polls_left: Option<u64>,
}

/// Why a world came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing is left to happen.
    Still,
    /// It went on past its last moment.
    Late,
    /// It did too much in too little time.
    Busy,
}

impl World {
    pub(super) fn new(random: Seeded) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Time::default(),
            random,
            next: 0,
            ready: VecDeque::new(),
            queued: BTreeSet::new(),
            due: BTreeMap::new(),
            born: Vec::new(),
            doomed: Vec::new(),
            paused: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uniform below `end`.
    pub(super) fn below(&self, end: u64) -> u64 {
        self.lock().random.next() % end.max(1)
    }

    /// True that often in a thousand.
    pub(super) fn chance(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// Uniform up to `longest`.
    pub(super) fn up_to(&self, longest: Duration) -> Duration {
        self.lock().random.up_to(longest)
    }

    /// How long a message takes over the network.
    pub(super) fn latency(&self) -> Duration {
        match self.chance(20) {
            true => self.up_to(Duration::from_millis(200)),
            false => self.up_to(Duration::from_millis(2)),
        }
    }

    pub(super) fn fork(&self) -> Seeded {
        self.lock().random.fork()
    }

    /// Does something at a later moment, whoever is still alive then.
    pub(super) fn after(&self, wait: Duration, act: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        let at = state.now + wait;
        state.insert(at, Due::Act(Box::new(act)));
    }

    pub(super) async fn sleep(&self, wait: Duration) {
        let until = self.now() + wait;
        self.sleep_until(until).await;
    }

    /// Starts a task; the receiver hears when it ends, and fails when it was killed.
    pub(super) fn spawn(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> (TaskId, oneshot::Receiver<()>) {
        let (ended, ends) = oneshot::channel();
        let future = Box::pin(async move {
            future.await;
            let _ = ended.send(());
        });
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        state.born.push((
            id,
            Task {
                future,
                polls_left: None,
            },
        ));
        state.queue(id);
        (id, ends)
    }

    /// Drops a task after so many more polls of it; with none, before anything else happens.
    pub(super) fn kill(&self, task: TaskId, polls: u64) {
        self.lock().doomed.push((task, polls));
    }

    /// Stops a task for so long; then it goes on, and sees what time it is.
    pub(super) fn pause(&self, task: TaskId, long: Duration) {
        let until = self.now() + long;
        let mut state = self.lock();
        let paused = state.paused.entry(task).or_default();
        *paused = until.max(*paused);
        drop(state);
        let world = self.clone();
        self.after(long, move || world.resume(task));
    }

    fn resume(&self, task: TaskId) {
        let mut state = self.lock();
        if state
            .paused
            .get(&task)
            .is_some_and(|until| *until <= state.now)
        {
            state.paused.remove(&task);
            state.queue(task);
        }
    }

    /// Lets everything happen, up to `last` and at most so many polls.
    pub(super) fn run(&self, last: Time, most: u64) -> Rest {
        let mut tasks: BTreeMap<TaskId, Task> = BTreeMap::new();
        let mut wakers: BTreeMap<TaskId, Waker> = BTreeMap::new();
        let mut polls = 0;
        loop {
            let (born, doomed) = {
                let mut state = self.lock();
                (
                    std::mem::take(&mut state.born),
                    std::mem::take(&mut state.doomed),
                )
            };
            tasks.extend(born);
            for (id, polls) in doomed {
                match tasks.get_mut(&id).filter(|_| polls > 0) {
                    Some(task) => task.polls_left = Some(polls),
                    None => drop(tasks.remove(&id)),
                }
            }
            let Some(id) = self.next_ready() else {
                match self.advance(last) {
                    Ok(Due::Wake(waker)) => waker.wake(),
                    Ok(Due::Act(act)) => act(),
                    Err(rest) => {
                        self.clear();
                        return rest;
                    }
                }
                continue;
            };
            let Some(mut task) = tasks.remove(&id) else {
                continue;
            };
            polls += 1;
            if polls > most {
                self.clear();
                return Rest::Busy;
            }
            let waker = wakers.entry(id).or_insert_with(|| {
                Waker::from(Arc::new(Bell {
                    world: self.clone(),
                    id,
                }))
            });
            let done = task
                .future
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_ready();
            let crashed = task.polls_left.as_mut().is_some_and(|left| {
                *left = left.saturating_sub(1);
                *left == 0
            });
            if !done && !crashed {
                tasks.insert(id, task);
            }
        }
    }

    fn next_ready(&self) -> Option<TaskId> {
        let mut state = self.lock();
        loop {
            let id = state.ready.pop_front()?;
            state.queued.remove(&id);
            // It looks at everything when it goes on.
            if !state.paused.contains_key(&id) {
                return Some(id);
            }
        }
    }

    fn advance(&self, last: Time) -> Result<Due, Rest> {
        let mut state = self.lock();
        let ((at, _), due) = state.due.pop_first().ok_or(Rest::Still)?;
        if at > last {
            return Err(Rest::Late);
        }
        state.now = state.now.max(at);
        Ok(due)
    }

    /// Breaks the circles between the world and what waits in it.
    fn clear(&self) {
        let due = std::mem::take(&mut self.lock().due);
        drop(due);
        let born = std::mem::take(&mut self.lock().born);
        drop(born);
    }
}

impl State {
    fn queue(&mut self, id: TaskId) {
        if self.queued.insert(id) {
            self.ready.push_back(id);
        }
    }

    fn insert(&mut self, at: Time, due: Due) -> (Time, u64) {
        self.next += 1;
        let key = (at, self.next);
        self.due.insert(key, due);
        key
    }
}

impl Clock for World {
    fn now(&self) -> Time {
        self.lock().now
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + MORNING + self.now().since_origin()
    }

    fn sleep_until(&self, time: Time) -> impl Future<Output = ()> + Send {
        Sleep {
            world: self.clone(),
            until: time,
            set: None,
        }
    }
}

/// A task that something happened to.
struct Bell {
    world: World,
    id: TaskId,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.world.lock().queue(self.id);
    }
}

struct Sleep {
    world: World,
    until: Time,
    set: Option<(Time, u64)>,
}

impl Sleep {
    fn unset(&mut self, state: &mut State) -> Option<Due> {
        self.set.take().and_then(|key| state.due.remove(&key))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut state = world.lock();
        let old = self.unset(&mut state);
        if state.now >= self.until {
            drop(state);
            drop(old);
            return Poll::Ready(());
        }
        let until = self.until;
        self.set = Some(state.insert(until, Due::Wake(cx.waker().clone())));
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let world = self.world.clone();
        let old = self.unset(&mut world.lock());
        drop(old);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}
