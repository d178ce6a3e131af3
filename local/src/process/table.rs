//! Who of a function's processes is in which state, for everybody to see.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use tokio::sync::watch;

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was started and is not healthy yet.
    Starting,
    /// It takes calls at this address.
    Ready(SocketAddr),
    /// It ended, and is started again after a while.
    Waiting,
    /// It was told to end.
    Leaving,
}

/// One process of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which deployment of the function it runs.
    pub generation: u64,
    /// What it is doing.
    pub state: State,
    /// Its process id, while there is a process.
    pub id: Option<u32>,
}

/// The processes of one function by number. Clones are the same table.
#[derive(Clone, Debug)]
pub struct Table(Arc<watch::Sender<BTreeMap<u64, Entry>>>);

impl Default for Table {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }
}

impl Table {
    /// Makes room for a process.
    pub(super) fn add(&self, number: u64, generation: u64) {
        self.0.send_modify(|all| {
            all.insert(
                number,
                Entry {
                    generation,
                    state: State::Starting,
                    id: None,
                },
            );
        });
    }

    /// Notes what a process is doing.
    pub(super) fn set(&self, number: u64, state: State, id: Option<u32>) {
        self.0.send_modify(|all| {
            if let Some(entry) = all.get_mut(&number) {
                (entry.state, entry.id) = (state, id);
            }
        });
    }

    /// Forgets a process.
    pub(super) fn remove(&self, number: u64) {
        self.0.send_modify(|all| {
            all.remove(&number);
        });
    }

    /// All of them now.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.0.borrow().values().copied().collect()
    }

    /// How many take calls.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.addresses().len()
    }

    /// Where calls are taken.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |entry: &Entry| match entry.state {
            State::Ready(address) => Some(address),
            _ => None,
        };
        self.0.borrow().values().filter_map(address).collect()
    }

    /// Sees every change from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<BTreeMap<u64, Entry>> {
        self.0.subscribe()
    }
}
