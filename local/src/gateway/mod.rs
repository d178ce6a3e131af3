//! The gateway: what faas-cli, the bus and other functions talk to.
//!
//! `/function/…` and `/async-function/…` lead to the functions, `/system/…` is the API of faas-cli, `/local/…` what only
//! this runner has. Status codes, headers and words are those of the OpenFaaS gateway and its provider; where not, the
//! item says so.

mod asynchronous;
mod auth;
mod callback;
mod error;
mod forward;
mod headers;
mod invoke;
pub mod own;
mod serve;
mod system;
mod target;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

pub use asynchronous::Queue;
pub use auth::{AuthError, Credentials};
pub use forward::Client;
pub use headers::uuid;
pub use serve::serve;

use openfaas_delivery::wiring::Broker;
use tokio_util::sync::CancellationToken;

use crate::{
    build::{BuildError, Builder},
    bus::{self, Bus},
    process::{Functions, Spec},
    stack::Known,
    traces::Traces,
};

/// Where functions send their telemetry, below the gateway's address.
pub const OTLP: &str = "/local/otlp";

/// Where functions publish events, below the gateway's address and before the pass of the run.
pub const BUS: &str = "/local/bus";

/// How long a function may take until its answer begins, unless told otherwise: `upstream_timeout` of the gateway.
pub const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(60);

/// What the answers' `X-Served-By` and the user agent of calls without one say.
const SERVED_BY: &str = concat!("openfaas-local/", env!("CARGO_PKG_VERSION"));

/// The gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The functions behind it.
    pub functions: Functions,
    /// What the stack file says of them, deployed or not.
    pub known: Arc<Known>,
    /// What their topics hold.
    pub bus: Bus,
    /// What spans they sent.
    pub traces: Traces,
    /// Builds a function again when it is deployed.
    pub builder: Arc<Builder>,
    /// Programs that are run instead of being built, by function.
    pub given: Arc<BTreeMap<String, PathBuf>>,
    /// Connections to functions.
    pub client: Client,
    /// Calls that nobody waits for.
    pub queue: Queue,
    /// Who may use `/system` and `/local`; none: everybody on this machine.
    pub credentials: Option<Arc<Credentials>>,
    /// What functions show when they publish: only who was told where to can know it.
    pub pass: Arc<str>,
    /// Ends answers that would go on for ever.
    pub stop: CancellationToken,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Gateway {
    /// Builds a function, with a way to the broker where it takes its events from there itself. None when nothing is to be
    /// built of it.
    pub async fn build(&self, spec: &Spec) -> Option<Result<PathBuf, BuildError>> {
        let broker = self.bus.door(spec).and_then(|door| door.broker);
        let feature = broker.map(Broker::name);
        self.builder.build(&spec.service, feature).await
    }

    /// Deploys a function; `program`: unless it stays what it was.
    pub async fn run(&self, spec: Spec, program: Option<PathBuf>) {
        // One that finds no topic asks again only after a while.
        if let Some(door) = self.bus.door(&spec) {
            self.bus.make(&door).await;
        }
        let wiring = bus::environment(&spec, self.bus.topics.doors());
        self.functions.deploy(spec, wiring, program);
    }
}

/// An address at which somebody on this machine reaches a server that listens on `address`.
#[must_use]
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        address.ip()
    };
    SocketAddr::new(ip, address.port())
}
