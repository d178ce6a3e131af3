//! All functions of a run, by name.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{
    function::{Desired, Function},
    host::Host,
    spec::Spec,
};

/// All functions of a run. Clones are the same.
#[derive(Clone, Debug)]
pub struct Functions {
    /// What they share.
    pub host: Arc<Host>,
    /// Those that are deployed, by name.
    deployed: Arc<RwLock<BTreeMap<String, Arc<Function>>>>,
    /// What runs when the run ends.
    tasks: TaskTracker,
    /// Counts deployments and removals, for those who follow.
    changes: Arc<watch::Sender<u64>>,
}

impl Functions {
    /// No functions yet.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            host: Arc::new(host),
            deployed: Arc::default(),
            tasks: TaskTracker::new(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Deploys a function, in the place of the one that has its name. Its program, unless given, stays what it was.
    pub fn deploy(&self, spec: Spec, wiring: Vec<(String, String)>, program: Option<PathBuf>) {
        let spec = Arc::new(spec);
        let mut deployed = self
            .deployed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match deployed.get(&spec.service) {
            Some(function) => function.change(|desired| {
                desired.generation += 1;
                desired.replicas = desired.replicas.max(spec.least_replicas());
                desired.program = program.or(desired.program.take());
                desired.wiring = wiring;
                desired.spec = spec;
            }),
            None => {
                let name = spec.service.clone();
                let replicas = spec.least_replicas();
                let desired = Desired {
                    spec,
                    wiring,
                    program,
                    generation: 1,
                    replicas,
                };
                deployed.insert(
                    name,
                    Function::start(desired, self.host.clone(), &self.tasks),
                );
            }
        }
        drop(deployed);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Drains a function and forgets it. Whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let gone = self
            .deployed
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        if let Some(function) = &gone {
            function.end();
            self.changes.send_modify(|count| *count += 1);
        }
        gone.is_some()
    }

    /// The function of a name as a URL has it: `NAME` or `NAME.NAMESPACE`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<Function>> {
        let deployed = self.deployed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = deployed.get(name) {
            return Some(function.clone());
        }
        let (name, namespace) = name.rsplit_once('.')?;
        deployed
            .get(name)
            .filter(|function| function.desired().spec.namespace == namespace)
            .cloned()
    }

    /// All functions, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Function>> {
        self.deployed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Changes with every deployment and removal.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Drains all functions; returns when the last process is gone.
    pub async fn end(&self) {
        for function in self.all() {
            function.end();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}
