//! One run: everything that belongs together, from its start to its end.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use openfaas_delivery::target::http::{GatewayError, HttpTarget};
use openfaas_stack::{Problem, Report, Stack, StackError, build::Profile};
use openfaas_telemetry::{Config, ConfigError, Telemetry};
use tempfile::TempDir;
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    build::{self, Builder, Compiler, Plan},
    bus::{self, Bus, topics::BrokerError},
    gateway::{self, Client, Credentials, Gateway, Queue, UPSTREAM_TIMEOUT, reachable},
    process::{Common, Functions, Guard, GuardError, Host, Leavings, Logs, Secrets, State, remove},
    stack::{self, Known},
    terminal::{Console, with_cause},
    traces::Traces,
};

/// What the gateway may take to finish its last calls.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// What calls that nobody waits for, and their callbacks, are given: as much as deliveries have to drain.
const LAST_QUEUED: Duration = Duration::from_secs(25);

/// What a function may take until it takes calls or has died once: a little more than it is given before it is ended.
const START: Duration = Duration::from_secs(35);

/// What the last spans of deliveries may take.
const LAST_SPANS: Duration = Duration::from_secs(1);

/// The folder beside the stack file whose files are secrets, as `faas-cli local-run` has it.
pub const SECRETS: &str = ".secrets";

/// What a run is told.
#[derive(Debug)]
pub struct Options {
    /// The stack file.
    pub stack: PathBuf,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// How functions are compiled.
    pub profile: Profile,
    /// Programs that are run instead of being built.
    pub given: Vec<(String, PathBuf)>,
    /// Who may use the API.
    pub credentials: Option<Credentials>,
    /// The broker that topics are on; none: in memory.
    pub broker: Option<String>,
    /// Room for calls that nobody waits for.
    pub queue: usize,
    /// What `${…}` in the stack file stands for, before this process's own environment.
    pub variables: Vec<(String, String)>,
    /// The file that will say the run is ready, so that none is left of a run that was killed.
    pub ready_file: Option<PathBuf>,
}

/// One run.
#[derive(Debug)]
pub struct Session {
    /// The stack file, read.
    pub stack: Stack,
    /// The gateway.
    pub gateway: Gateway,
    /// How functions come to their programs.
    plan: Plan,
    /// What brings events to functions.
    deliveries: bus::Running,
    /// Drains it.
    delivery_stop: CancellationToken,
    /// Where its spans go.
    telemetry: Telemetry,
    /// The gateway's server.
    server: JoinHandle<io::Result<()>>,
    /// Ends the gateway's server.
    stop: CancellationToken,
    /// Where all files of the run are.
    folder: TempDir,
    /// Sees to it that nothing is left.
    guard: Guard,
}

/// What became of a function at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// It takes calls.
    Ready,
    /// It does not, and why.
    Failed(String),
}

/// Why a run cannot begin.
#[derive(Debug, Error)]
pub enum StartError {
    /// The stack file.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The wiring of a function, each error with its line.
    #[error("{0}")]
    Wiring(Report),
    /// A program was given for a function that is not there.
    #[error("--binary {0}: {1} has no function of that name")]
    NoSuchFunction(String, String),
    /// The address of the gateway is taken, or none of this machine's.
    #[error(
        "the gateway cannot listen on {address}: {source}; choose another address with --listen, such as --listen 127.0.0.1:0"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There is no folder for the run's files.
    #[error("cannot make a folder for the files of this run")]
    Folder(#[source] io::Error),
    /// The secrets beside the stack file cannot be read.
    #[error("cannot read the secrets in {}", .path.display())]
    Secrets {
        /// Their folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The broker that was asked for.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The bus cannot call the gateway.
    #[error(transparent)]
    Target(#[from] GatewayError),
    /// The OpenTelemetry settings of the runner's environment.
    #[error(transparent)]
    Telemetry(#[from] ConfigError),
    /// There is no guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

impl Session {
    /// Reads the stack file and opens the gateway. No function runs yet.
    ///
    /// # Errors
    /// When the stack file is wrong or the gateway cannot listen.
    pub async fn open(options: Options, console: Console) -> Result<Self, StartError> {
        let topics = bus::topics::at(options.broker.as_deref()).await?;
        let stack = stack::load(&options.stack, &options.variables)?;
        let known = Known::new(&stack)?;
        check(&stack, &known, &options.given)?;
        let given: BTreeMap<_, _> = options.given.iter().cloned().collect();
        let plan = build::plan(&stack, options.given);
        let listen = |source| StartError::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let folder = tempfile::Builder::new()
            .prefix("openfaas-local-")
            .tempdir()
            .map_err(StartError::Folder)?;
        let seeds = stack.root().join(SECRETS);
        let secrets = Secrets::new(folder.path().join("secrets"), &seeds).map_err(|source| {
            StartError::Secrets {
                path: seeds,
                source,
            }
        })?;
        let guard = Guard::start(&Leavings {
            ready_file: options.ready_file,
            folder: folder.path().to_owned(),
        })?;
        let compiler = Compiler {
            console: console.clone(),
            group: guard.group(),
            profile: options.profile,
            said: Arc::default(),
        };
        let pass: Arc<str> = gateway::uuid().into();
        let at = format!("http://{}", reachable(address));
        let common = Common::new(at, &pass, std::env::vars());
        let settings = common.telemetry();
        let config = Config::from_lookup(|name| settings.get(name).cloned(), bus::CONNECTOR)?;
        let host = Host {
            folder: folder.path().to_owned(),
            group: guard.group(),
            common,
            secrets,
            logs: Logs::default(),
            console,
        };
        let stop = CancellationToken::new();
        let functions = Functions::new(host);
        let gateway = Gateway {
            bus: Bus::new(functions.clone(), topics),
            traces: Traces::default(),
            functions,
            known: Arc::new(known),
            builder: Arc::new(Builder::new(compiler, &plan)),
            given: Arc::new(given),
            client: Client::new(UPSTREAM_TIMEOUT),
            queue: Queue::new(options.queue),
            credentials: options.credentials.map(Arc::new),
            pass,
            stop: stop.clone(),
            address,
        };
        let target = HttpTarget::gateway(&format!("http://{}", reachable(address)))?;
        let telemetry = Telemetry::start(config);
        let delivery_stop = CancellationToken::new();
        let stopped = delivery_stop.clone().cancelled_owned();
        let deliveries = gateway.bus.deliver(target, &telemetry, stopped);
        let server = tokio::spawn(gateway::serve(
            gateway.clone(),
            listener,
            stop.clone().cancelled_owned(),
        ));
        Ok(Self {
            stack,
            gateway,
            plan,
            deliveries,
            delivery_stop,
            telemetry,
            server,
            stop,
            folder,
            guard,
        })
    }

    /// Builds all functions and starts each as soon as it is built; returns what became of them, in the order of the
    /// file, when those that start are ready.
    pub async fn start(&self) -> Vec<(String, Start)> {
        let mut failed: BTreeMap<String, String> = self
            .plan
            .left_out
            .iter()
            .map(|(name, why)| (name.clone(), why.to_string()))
            .collect();
        for (name, program) in &self.plan.given {
            self.deploy(name, program.clone()).await;
        }
        for package in &self.plan.packages {
            let name = &package.name;
            let Some(spec) = self.gateway.known.get(name) else {
                continue;
            };
            match self.gateway.build(spec).await {
                Some(Ok(program)) => self.deploy(name, program).await,
                Some(Err(error)) => drop(failed.insert(name.clone(), with_cause(&error))),
                None => {}
            }
        }
        let mut all = Vec::new();
        for function in &self.stack.functions {
            let name = function.name.value.clone();
            let start = match failed.remove(&name) {
                Some(why) => Start::Failed(why),
                None => self.ready(&name).await,
            };
            all.push((name, start));
        }
        all
    }

    async fn deploy(&self, name: &str, program: PathBuf) {
        if let Some(spec) = self.gateway.known.get(name) {
            self.gateway.run(spec.clone(), Some(program)).await;
        }
    }

    /// Waits until a function takes calls, or has died once.
    async fn ready(&self, name: &str) -> Start {
        let Some(function) = self.gateway.functions.find(name) else {
            return Start::Failed("is not deployed".into());
        };
        let mut changes = function.table.changes();
        let settled = changes.wait_for(|all| {
            let settled = |state| matches!(state, State::Ready(_) | State::Waiting);
            all.values().any(|entry| settled(entry.state))
        });
        let settled = timeout(START, settled).await.is_ok();
        if settled && function.table.ready() > 0 {
            Start::Ready
        } else {
            Start::Failed("does not become ready, see above".into())
        }
    }

    /// Waits until what clears up after a runner is gone, which it is not by itself, and says how.
    pub async fn unguarded(&mut self) -> String {
        self.guard.lost().await
    }

    /// Finishes what runs, drains the functions, and leaves nothing.
    pub async fn end(self) {
        let console = self.gateway.functions.host.console.clone();
        self.delivery_stop.cancel();
        if let Err(error) = self.deliveries.ended().await {
            console.line(&format!("the deliveries did not end in order: {error}"));
        }
        self.telemetry.shutdown(LAST_SPANS).await;
        let given_up = self.gateway.queue.end(LAST_QUEUED).await;
        if given_up > 0 {
            console.line(&format!(
                "{given_up} calls that nobody waits for, or their callbacks, were not done"
            ));
        }
        self.stop.cancel();
        let mut server = self.server;
        if timeout(LAST_CALLS, &mut server).await.is_err() {
            console.line("the last calls took too long and were cut off");
            server.abort();
        }
        self.gateway.functions.end().await;
        clear(self.folder, self.guard, &console).await;
    }
}

async fn clear(folder: TempDir, guard: Guard, console: &Console) {
    let path = folder.path().to_owned();
    // While there is a guard to do it in this process's place; what is left or comes anew goes below.
    drop(folder);
    if let Err(error) = guard.finish().await {
        console.line(&format!(
            "what functions started may run on, for the process that ends it is gone: {error}"
        ));
    }
    if let Err(error) = remove(&path) {
        console.line(&with_cause(&error));
    }
}

fn check(stack: &Stack, known: &Known, given: &[(String, PathBuf)]) -> Result<(), StartError> {
    if let Some((name, _)) = given.iter().find(|(name, _)| known.get(name).is_none()) {
        return Err(StartError::NoSuchFunction(
            name.clone(),
            stack.path.display().to_string(),
        ));
    }
    let problems = stack.functions.iter().flat_map(|function| {
        let errors = known
            .get(function.name.as_str())
            .and_then(|spec| stack::wiring(spec).err());
        errors.unwrap_or_default().into_iter().map(|error| {
            let place = function
                .annotations
                .get(&error.annotation)
                .map(|entry| entry.value.span);
            Problem::error(place.unwrap_or(function.name.span), error.to_string())
        })
    });
    let problems: Vec<_> = problems.collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(StartError::Wiring(stack.report(problems)))
    }
}

/// The stack file of `folder`, unless one was named.
///
/// # Errors
/// When there is none.
pub fn stack_file(named: Option<PathBuf>, folder: &Path) -> Result<PathBuf, StackError> {
    let find = || {
        Stack::find(folder).map(|file| file.strip_prefix("./").map(Path::to_owned).unwrap_or(file))
    };
    named.map_or_else(find, Ok)
}
