//! One function: as many processes as are wanted, behind one name.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    host::Host,
    replica::Replica,
    spec::Spec,
    table::{State, Table},
};

/// How long a call waits for a process that is starting.
const START_WAIT: Duration = Duration::from_secs(30);

/// How long the processes of the last deployment stay when those of a new one do not become ready.
const HAND_OVER: Duration = Duration::from_secs(30);

/// What is to run.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The function.
    pub spec: Arc<Spec>,
    /// Its wiring, as environment.
    pub wiring: Vec<(String, String)>,
    /// Its program; none until it is built.
    pub program: Option<PathBuf>,
    /// Counts deployments: processes of an older one are replaced.
    pub generation: u64,
    /// How many processes.
    pub replicas: u32,
}

/// One function of the run.
#[derive(Debug)]
pub struct Function {
    /// What is to run.
    desired: watch::Sender<Arc<Desired>>,
    /// What runs.
    pub table: Table,
    /// When it was deployed.
    pub created: SystemTime,
    /// How many calls it got.
    invocations: AtomicU64,
    /// Whose turn it is among several processes.
    turn: AtomicUsize,
    /// Ends it for good.
    stop: CancellationToken,
}

impl Function {
    /// Starts to keep a function running. `tasks` is what the run waits for at its end.
    pub(super) fn start(desired: Desired, host: Arc<Host>, tasks: &TaskTracker) -> Arc<Self> {
        let (desired, changes) = watch::channel(Arc::new(desired));
        let function = Arc::new(Self {
            desired,
            table: Table::default(),
            created: SystemTime::now(),
            invocations: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            stop: CancellationToken::new(),
        });
        let keeper = Keeper {
            changes,
            table: function.table.clone(),
            host,
            stop: function.stop.clone(),
            tasks: TaskTracker::new(),
            replicas: BTreeMap::new(),
            next: 1,
        };
        tasks.spawn(keeper.keep());
        function
    }

    /// What is to run now.
    #[must_use]
    pub fn desired(&self) -> Arc<Desired> {
        self.desired.borrow().clone()
    }

    /// Changes what is to run.
    pub(super) fn change(&self, change: impl FnOnce(&mut Desired)) {
        self.desired
            .send_modify(|desired| change(Arc::make_mut(desired)));
    }

    /// Sets how many processes there are to be; 0 stops it until a call or another number wakes it.
    pub fn scale(&self, replicas: u32) {
        self.change(|desired| desired.replicas = replicas);
    }

    /// Drains it and ends it for good.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }

    /// How many calls it got.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.invocations.load(Ordering::Relaxed)
    }

    /// Counts a call.
    pub fn count(&self) {
        self.invocations.fetch_add(1, Ordering::Relaxed);
    }

    /// Where to send the next call. A function that was scaled to nothing is woken, one that starts is waited for. None
    /// when no process is ready and none is about to be.
    pub async fn address(&self) -> Option<SocketAddr> {
        if let Some(address) = self.next_address() {
            return Some(address);
        }
        let mut changes = self.table.changes();
        self.wake();
        let ready = async {
            loop {
                changes.mark_unchanged();
                if let Some(address) = self.next_address() {
                    return Some(address);
                }
                if !self.is_about_to_be_ready() {
                    return None;
                }
                changes.changed().await.ok()?;
            }
        };
        timeout(START_WAIT, ready).await.ok().flatten()
    }

    fn next_address(&self) -> Option<SocketAddr> {
        let all = self.table.addresses();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        all.get(turn % all.len().max(1)).copied()
    }

    fn wake(&self) {
        self.desired.send_if_modified(|desired| {
            let asleep = desired.replicas == 0 && desired.program.is_some();
            if asleep {
                let desired = Arc::make_mut(desired);
                desired.replicas = desired.spec.least_replicas();
            }
            asleep
        });
    }

    fn is_about_to_be_ready(&self) -> bool {
        let desired = self.desired();
        let entries = self.table.entries();
        let starting = entries.iter().any(|entry| entry.state == State::Starting);
        let staying = entries
            .iter()
            .filter(|entry| entry.state != State::Leaving)
            .count();
        desired.program.is_some()
            && !self.stop.is_cancelled()
            && (starting || staying < desired.replicas as usize)
    }
}

/// Makes what runs what is desired.
struct Keeper {
    /// What is desired.
    changes: watch::Receiver<Arc<Desired>>,
    /// What runs.
    table: Table,
    /// What everybody runs in.
    host: Arc<Host>,
    /// Ends everything.
    stop: CancellationToken,
    /// The processes.
    tasks: TaskTracker,
    /// Their numbers, with generation and the way to end each.
    replicas: BTreeMap<u64, (u64, CancellationToken)>,
    /// The next number.
    next: u64,
}

impl Keeper {
    async fn keep(mut self) {
        let mut seen = self.table.changes();
        let mut patience = Instant::now() + HAND_OVER;
        let mut generation = 0;
        loop {
            let desired = self.changes.borrow_and_update().clone();
            if desired.generation != generation {
                (generation, patience) = (desired.generation, Instant::now() + HAND_OVER);
            }
            let handing_over = self.fit(&desired, patience);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                changed = self.changes.changed() => if changed.is_err() { break },
                _ = seen.changed(), if handing_over => {}
                () = sleep_until(patience), if handing_over => {}
            }
        }
        self.replicas.values().for_each(|(_, stop)| stop.cancel());
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Starts what is missing, and ends what is too many or of an older deployment. Whether some of an older one still
    /// stay because the new ones are not ready.
    fn fit(&mut self, desired: &Arc<Desired>, patience: Instant) -> bool {
        let wanted = if desired.program.is_some() {
            desired.replicas as usize
        } else {
            0
        };
        let of = |replicas: &BTreeMap<u64, (u64, CancellationToken)>, current: bool| -> Vec<u64> {
            let is = |generation: u64| (generation == desired.generation) == current;
            replicas
                .iter()
                .filter(|(_, (generation, _))| is(*generation))
                .map(|(number, _)| *number)
                .collect()
        };
        let current = of(&self.replicas, true);
        for number in current.iter().skip(wanted) {
            self.end(*number);
        }
        for _ in current.len()..wanted {
            self.begin(desired);
        }
        let ready = |entry: &super::table::Entry| {
            entry.generation == desired.generation && matches!(entry.state, State::Ready(_))
        };
        let old = of(&self.replicas, false);
        let enough = self
            .table
            .entries()
            .iter()
            .filter(|entry| ready(entry))
            .count()
            >= wanted;
        if enough || Instant::now() >= patience {
            old.iter().for_each(|number| self.end(*number));
            return false;
        }
        !old.is_empty()
    }

    fn begin(&mut self, desired: &Arc<Desired>) {
        let number = self.next;
        self.next += 1;
        let stop = CancellationToken::new();
        self.table.add(number, desired.generation);
        self.replicas
            .insert(number, (desired.generation, stop.clone()));
        let replica = Replica {
            number,
            desired: desired.clone(),
            host: self.host.clone(),
            table: self.table.clone(),
            stop,
        };
        self.tasks.spawn(replica.keep());
    }

    fn end(&mut self, number: u64) {
        if let Some((_, stop)) = self.replicas.remove(&number) {
            stop.cancel();
        }
    }
}
