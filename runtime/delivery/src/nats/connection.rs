//! One connection to a NATS server or cluster, and what is asked of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, Context, ErrorCode, context, response::Response};
use async_nats::{Client, ConnectOptions, Event};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::Instant;

use super::config::{Config, ConfigError};
use crate::broker::OpenError;

/// An answer of the server takes no longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Cuts that are no further apart may have one cause: what is not acknowledged comes again after five minutes at most.
const SOON: Duration = Duration::from_secs(15 * 60);

/// The connection of a broker, which comes back by itself. A clone shares it.
#[derive(Debug, Clone)]
pub(super) struct Connection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    health: watch::Sender<Health>,
    live: Mutex<Arc<Live>>,
    opening: Turn<()>,
}

/// A client, which comes back by itself as long as it lives: async-nats ends with a panic over some of what a server may send.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) client: Client,
    pub(super) jetstream: Context,
    ended: Arc<AtomicBool>,
}

/// How the connection fares.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    /// How often it was cut.
    pub(super) cuts: u64,
    /// When that was last.
    cut: Option<Instant>,
    /// It was not long before when it was cut last.
    again: bool,
    /// What the server or the client said last.
    trouble: Option<String>,
}

/// Why JetStream did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum AskError {
    /// No answer.
    #[error("{0}")]
    Away(String),
    /// Nobody listens: JetStream is off.
    #[error("JetStream is off at this NATS server: start it with `nats-server -js`")]
    NoJetStream,
    /// It refused.
    #[error("{0}")]
    Refused(jetstream::Error),
}

/// Tells how a client fares, and in the end that it has ended.
struct Life {
    health: watch::Sender<Health>,
    ended: Arc<AtomicBool>,
}

impl Life {
    fn note(&self, event: &Event) {
        self.health.send_modify(|health| health.note(event));
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        self.health.send_modify(|health| {
            health.cut();
            health.trouble = Some("the client has ended".into());
        });
    }
}

impl Live {
    async fn open(config: &Config, health: &watch::Sender<Health>) -> Result<Self, ConfigError> {
        let ended = Arc::<AtomicBool>::default();
        let life = Life {
            health: health.clone(),
            ended: Arc::clone(&ended),
        };
        let options = ConnectOptions::new()
            .name(&config.instance)
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .retry_on_initial_connect()
            .event_callback(move |event| {
                life.note(&event);
                std::future::ready(())
            });
        let options = config.tls.apply(config.auth.apply(options)?);
        let wrong = |error: &dyn std::fmt::Display| {
            ConfigError(format!("NATS at {}: {error}", config.servers.join(",")))
        };
        let servers: Vec<async_nats::ServerAddr> = config
            .servers
            .iter()
            .map(|server| server.parse().map_err(|error| wrong(&error)))
            .collect::<Result<_, _>>()?;
        // A large future, which whoever awaits this would have on its stack.
        let client = Box::pin(options.connect(servers))
            .await
            .map_err(|error| wrong(&error))?;
        Ok(Self {
            jetstream: jetstream::new(client.clone()),
            client,
            ended,
        })
    }

    /// Whether something sent now leaves now, and not whenever the connection is back.
    pub(super) fn is_up(&self) -> bool {
        !self.has_ended() && self.client.connection_state() == State::Connected
    }

    /// It has ended, as somebody heard before it could be told.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Connection {
    /// A connection that is made in the background: what is asked before it stands is answered with what is in its way.
    pub(super) async fn open(config: &Config) -> Result<Self, ConfigError> {
        let health = watch::Sender::default();
        let live = Live::open(config, &health).await?;
        Ok(Self(Arc::new(Shared {
            config: config.clone(),
            health,
            live: Mutex::new(Arc::new(live)),
            opening: Turn::default(),
        })))
    }

    /// The client; another one, where the last has ended.
    pub(super) async fn live(&self) -> Arc<Live> {
        let live = self.current();
        if !live.has_ended() {
            return live;
        }
        let _turn = self.0.opening.lock().await;
        let live = self.current();
        if !live.has_ended() {
            return live;
        }
        match Live::open(&self.0.config, &self.0.health).await {
            Ok(next) => *self.lock() = Arc::new(next),
            Err(error) => self.0.health.send_modify(|health| {
                health.trouble = Some(error.to_string());
            }),
        }
        self.current()
    }

    fn current(&self) -> Arc<Live> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Live>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something sent now leaves now.
    pub(super) fn is_up(&self) -> bool {
        self.current().is_up()
    }

    /// The client, once its connection stands: it is waited for for a moment.
    pub(super) async fn up(&self) -> Result<Arc<Live>, AskError> {
        let mut health = self.health();
        let up = async {
            loop {
                let live = self.live().await;
                if live.is_up() {
                    return live;
                }
                // It cannot be closed, as this has the other end.
                let _ = health.changed().await;
            }
        };
        let live = tokio::time::timeout(PATIENCE, up).await;
        live.map_err(|_| AskError::Away(self.because("not connected")))
    }

    /// How it fares, to see it change.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.0.health.subscribe()
    }

    /// A reason, and what the server or the client last said about the connection.
    pub(super) fn because(&self, reason: impl std::fmt::Display) -> String {
        let is_up = self.is_up();
        match &self.0.health.borrow().trouble {
            Some(trouble) if !is_up => format!("{reason} ({trouble})"),
            _ => reason.to_string(),
        }
    }

    /// Asks the JetStream API for a list that it gives page by page; `split` makes of a page its entries and how many there are
    /// in all.
    pub(super) async fn ask_all<P: DeserializeOwned, T>(
        &self,
        what: &str,
        mut with: Value,
        split: impl Fn(P) -> (Vec<T>, usize),
    ) -> Result<Vec<T>, AskError> {
        let mut all = Vec::new();
        loop {
            with["offset"] = all.len().into();
            let (entries, total) = split(self.ask(what, &with).await?);
            let is_last = entries.is_empty() || all.len() + entries.len() >= total;
            all.extend(entries);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Asks the JetStream API.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        with: &impl Serialize,
    ) -> Result<T, AskError> {
        let live = self.up().await?;
        let answer = live
            .jetstream
            .request::<_, _, Response<T>>(what.to_owned(), with);
        match answer.await {
            Ok(Response::Ok(answer)) => Ok(answer),
            Ok(Response::Err { error }) if error.code() >= 500 => {
                Err(AskError::Away(error.to_string()))
            }
            Ok(Response::Err { error }) => Err(AskError::Refused(error)),
            Err(error) => Err(match error.kind() {
                context::RequestErrorKind::NoResponders => AskError::NoJetStream,
                _ => AskError::Away(self.because(error)),
            }),
        }
    }
}

impl Health {
    /// Whether it is cut again and again, perhaps by what comes over it.
    pub(super) fn is_repeating(&self) -> bool {
        self.again && self.is_soon()
    }

    fn is_soon(&self) -> bool {
        self.cut.is_some_and(|cut| cut.elapsed() < SOON)
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Connected => self.trouble = None,
            Event::Disconnected => self.cut(),
            other => self.trouble = Some(other.to_string()),
        }
    }

    fn cut(&mut self) {
        self.again = self.is_soon();
        self.cuts += 1;
        self.cut = Some(Instant::now());
    }
}

impl AskError {
    /// The code of what JetStream refused.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(error) => Some(error.error_code()),
            _ => None,
        }
    }
}

impl From<AskError> for OpenError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Away(reason) => Self::Unavailable(reason),
            AskError::NoJetStream | AskError::Refused(_) => Self::NotReady(error.to_string()),
        }
    }
}
