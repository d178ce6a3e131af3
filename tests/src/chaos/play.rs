//! A run, from its first event to its counts.

use std::cell::Cell;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use openfaas_delivery::wiring::environment_name;

use super::broker::Broker;
use super::cast::Cast;
use super::fate::{HOPS, Work, topic};
use super::gateway;
use super::judge::Counts;
use crate::tools::built_program;

/// What is to happen.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How events come to their functions.
    pub way: Way,
    /// Functions ask for transactions.
    pub transactions: bool,
    /// So many events go through the chain.
    pub events: usize,
    /// Of so many keys.
    pub keys: usize,
    /// So often a function or a connector, drawn by lot, is killed.
    pub kills: usize,
    /// So often the broker is killed and started again.
    pub restarts: usize,
    /// So many events kill their function each time.
    pub killers: usize,
    /// So long no dead letter can be stored.
    pub letters_away: Duration,
    /// What the lots are drawn from.
    pub seed: u64,
    /// The longest it may take.
    pub patience: Duration,
}

/// How events come to their functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By two connectors, which call them through a gateway.
    Connectors,
    /// By doors of their own.
    Doors,
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Whoever the lot falls on.
    Somebody,
    Broker,
}

/// Plays a run, telling what it does on standard error. `function` is the program `chaos-function`; what processes say stays
/// in `folder`.
///
/// # Panics
/// When it takes too long; the message says where it stands.
pub async fn play<B: Broker>(plan: &Plan, function: &Path, folder: &Path) -> Counts {
    let broker = B::start().await;
    let mut cast = cast(&broker, plan, function, folder).await;
    let work = Work::all(plan.events, plan.keys, plan.killers, plan.seed);
    let begun = Instant::now();
    let published = Cell::new(false);
    let publishing = async {
        for round in work.chunks(plan.keys) {
            broker.publish(round).await;
        }
        published.set(true);
        eprintln!("all published after {} s", begun.elapsed().as_secs());
    };
    let troubling = async {
        let mut troubles = Troubles::new(plan);
        while !published.get() || !troubles.over() || !all_settled(&broker).await {
            cast.tend();
            let ended = broker.ended().await;
            assert!(
                begun.elapsed() < plan.patience,
                "{ended:?} of {} events have come to their end; see {}",
                plan.events,
                folder.display()
            );
            if let Some(ended) = ended {
                troubles.step(&broker, &mut cast, ended).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(publishing, troubling);
    eprintln!(
        "all settled after {} s; {} processes were killed by an event",
        begun.elapsed().as_secs(),
        cast.deaths()
    );
    drop(cast);
    Counts::of(&broker, &work).await
}

/// Three functions, and who brings them their events.
async fn cast<B: Broker>(broker: &B, plan: &Plan, function: &Path, folder: &Path) -> Cast {
    let mut cast = Cast::new(folder, plan.seed);
    let ports = free_ports();
    for (hop, name) in HOPS.into_iter().enumerate() {
        let mut environment = owned([
            ("chaos_hop", hop.to_string()),
            ("port", ports[hop].to_string()),
            ("metrics_port", "0".to_owned()),
            ("OPENFAAS_NAME", name.to_owned()),
        ]);
        if plan.way == Way::Doors {
            environment.extend(broker.environment());
            environment.extend(owned([("events_broker", B::NAME.to_owned())]));
            let wired = annotations(plan, hop).into_iter();
            environment.extend(wired.map(|(name, value)| (environment_name(&name), value)));
        }
        cast.add(name, function, &[], environment);
    }
    if plan.way == Way::Connectors {
        let connector = built_program("openfaas-connector", "openfaas-connector");
        let url = gateway::start(ports, |hop| annotations(plan, hop)).await;
        let mut environment = broker.environment();
        environment.extend(owned([
            ("gateway_url", url),
            ("metrics_port", "0".to_owned()),
            ("rebuild_interval", "1s".to_owned()),
        ]));
        for name in ["connector-1", "connector-2"] {
            cast.add(name, &connector, &[B::NAME], environment.clone());
        }
    }
    cast
}

/// How a function of the chain is delivered to.
fn annotations(plan: &Plan, hop: usize) -> Vec<(String, String)> {
    owned([
        ("events.transactions", plan.transactions.to_string()),
        ("topic", topic(hop)),
        ("events.reply-topic", topic(hop + 1)),
        ("com.openfaas.retry.attempts", "6".to_owned()),
        ("com.openfaas.retry.min_wait", "100ms".to_owned()),
        ("com.openfaas.retry.max_wait", "2s".to_owned()),
    ])
}

fn owned<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Whether nothing is left to do: asked from the first function on, because each feeds the next.
async fn all_settled(broker: &impl Broker) -> bool {
    for hop in 0..HOPS.len() {
        if broker.unsettled(hop).await != Some(0) {
            return false;
        }
    }
    true
}

fn free_ports() -> [u16; HOPS.len()] {
    // All are held until all are known, so that none comes twice.
    let listeners: [TcpListener; HOPS.len()] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("a port").port())
}

/// What is still to happen, spread evenly over the events' ends.
struct Troubles {
    events: usize,
    left: Vec<Trouble>,
    all: usize,
    random: fastrand::Rng,
    letters: Letters,
    letters_away: Duration,
}

/// Whether dead letters can be stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Letters {
    /// They can, and will not be able to later.
    Before,
    /// They cannot, since then.
    Away(Instant),
    /// They can again.
    After,
}

impl Troubles {
    fn new(plan: &Plan) -> Self {
        let mut random = fastrand::Rng::with_seed(plan.seed);
        let mut left = vec![Trouble::Somebody; plan.kills];
        left.extend(vec![Trouble::Broker; plan.restarts]);
        random.shuffle(&mut left);
        Self {
            events: plan.events,
            all: left.len(),
            left,
            random,
            letters: Letters::Before,
            letters_away: plan.letters_away,
        }
    }

    fn over(&self) -> bool {
        self.left.is_empty() && self.letters == Letters::After
    }

    /// Does what is due when so many events have come to their end.
    async fn step<B: Broker>(&mut self, broker: &B, cast: &mut Cast, ended: usize) {
        match self.letters {
            Letters::Before if ended > self.events / 3 => {
                eprintln!("{ended:>7}: no dead letter can be stored");
                broker.take_letters(false).await;
                self.letters = Letters::Away(Instant::now());
            }
            Letters::Away(since) if since.elapsed() > self.letters_away => {
                eprintln!("{ended:>7}: dead letters can be stored");
                broker.take_letters(true).await;
                self.letters = Letters::After;
            }
            _ => {}
        }
        let happened = self.all - self.left.len();
        // The last of them comes when nine in ten events have come to their end.
        if ended * 10 * self.all < self.events * 9 * (happened + 1) {
            return;
        }
        match self.left.pop() {
            Some(Trouble::Somebody) => {
                let who = self.random.usize(..cast.len());
                eprintln!("{ended:>7}: kill -9 {}", cast.kill(who));
            }
            Some(Trouble::Broker) => {
                eprintln!("{ended:>7}: kill -9 {}", B::NAME);
                broker.kill_and_restart();
            }
            None => {}
        }
    }
}
