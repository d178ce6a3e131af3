//! Where topics are: in memory, or on a broker.

use std::{fmt, pin::Pin, sync::Arc};

use openfaas_cloudevents::Event;
use openfaas_delivery::{
    broker::{Codec, Decoded, Message, Position, PublishError, Purpose, Stored},
    dead_letter::{self, Notes},
    engine::Engine,
    letters::{Letter, Opened},
    memory,
    target::http::HttpTarget,
    wiring::Format,
};
use openfaas_telemetry::Telemetry;
use thiserror::Error;

use super::{
    Bus, CONNECTOR, Doors,
    deliveries::{Seen, follow},
};

/// Work on its way.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the bus asks of whatever holds its topics.
pub trait Topics: fmt::Debug + Send + Sync {
    /// What functions need that take their events from there themselves; none where they cannot.
    fn doors(&self) -> Option<&Doors> {
        None
    }

    /// Stores an event in a topic.
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        event: &'a Event,
    ) -> Doing<'a, Result<Position, PublishError>>;

    /// Makes a topic that is not there. `purpose`: `None` for one that is consumed. `Err` is a sentence.
    fn make<'a>(
        &'a self,
        topic: &'a str,
        purpose: Option<Purpose>,
    ) -> Doing<'a, Result<(), String>>;

    /// All dead letters, oldest first in each topic, also of functions that are gone; `more` are topics that hold letters
    /// beside those that are called so. `Err` is a sentence.
    fn letters<'a>(&'a self, more: &'a [String]) -> Doing<'a, Result<Vec<Message>, String>>;

    /// Puts a letter back, and takes it out of its topic.
    fn put_back<'a>(
        &'a self,
        letter: &'a Message,
        notes: &'a Notes,
    ) -> Doing<'a, Result<Stored, PublishError>>;

    /// As a list shows it.
    fn shown(&self, letter: &Message) -> Letter;

    /// With all that is in it.
    fn opened(&self, letter: &Message) -> Opened;

    /// The event in a message, unless that is broken.
    fn event(&self, message: &Message) -> Option<Event>;

    /// Nothing waits any more under this name.
    fn forget(&self, durable: &str);

    /// Delivers until it is told to stop.
    fn deliver(&self, work: Work) -> Doing<'static, ()>;
}

/// What delivering needs beside the topics.
pub struct Work {
    /// The bus.
    pub(super) bus: Bus,
    /// How functions are called.
    pub(super) target: HttpTarget,
    /// Who sees it.
    pub(super) seen: Seen,
    /// Where its spans go.
    pub(super) telemetry: Telemetry,
    /// When it ends.
    pub(super) stop: Doing<'static, ()>,
}

/// Why there is no such broker.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Another address.
    #[error("--broker {0}: write nats://HOST:PORT or kafka://HOST:PORT")]
    Unknown(String),
    /// This program is built without it.
    #[error(
        "--broker {1} needs openfaas-local with the feature `{0}`: `cargo run --features {0} -- --broker {1}`"
    )]
    NotBuilt(&'static str, String),
    /// It can never be reached like this.
    #[error("--broker {0}: {1}")]
    Wrong(String, String),
}

/// The topics at this address; in memory where there is none.
///
/// # Errors
/// There can be no such broker; one that is away is waited for.
pub async fn at(url: Option<&str>) -> Result<Arc<dyn Topics>, BrokerError> {
    let Some(url) = url else {
        return Ok(Arc::new(memory::Bus::default()));
    };
    match url.split_once("://") {
        #[cfg(feature = "nats")]
        Some(("nats" | "tls", _)) => super::real::nats(url).await,
        #[cfg(feature = "kafka")]
        Some(("kafka", hosts)) => super::real::kafka(url, hosts),
        #[cfg(not(feature = "nats"))]
        Some(("nats" | "tls", _)) => Err(BrokerError::NotBuilt("nats", url.to_owned())),
        #[cfg(not(feature = "kafka"))]
        Some(("kafka", _)) => Err(BrokerError::NotBuilt("kafka", url.to_owned())),
        _ => Err(BrokerError::Unknown(url.to_owned())),
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

pub(super) fn event(codec: &impl Codec, message: &Message) -> Option<Event> {
    match codec.decode(message) {
        Decoded::Event(event) => Some(event),
        Decoded::Broken(_) => None,
    }
}

impl Topics for memory::Bus {
    fn publish<'a>(
        &'a self,
        topic: &'a str,
        event: &'a Event,
    ) -> Doing<'a, Result<Position, PublishError>> {
        let stored = self.publish_event(topic, event, Format::Binary);
        Box::pin(async { stored.map(|stored| stored.position) })
    }

    fn make<'a>(&'a self, _: &'a str, _: Option<Purpose>) -> Doing<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn letters<'a>(&'a self, _: &'a [String]) -> Doing<'a, Result<Vec<Message>, String>> {
        let topics = self.dead_letter_topics().into_iter();
        let letters = topics.flat_map(|topic| self.messages(&topic));
        let letters = letters.map(|letter| Message::clone(&letter)).collect();
        Box::pin(async { Ok(letters) })
    }

    fn put_back<'a>(
        &'a self,
        letter: &'a Message,
        notes: &'a Notes,
    ) -> Doing<'a, Result<Stored, PublishError>> {
        let back = dead_letter::put_back(letter, notes);
        let stored = memory::Bus::put_back(self, &back, &letter.position);
        Box::pin(async { stored })
    }

    fn shown(&self, letter: &Message) -> Letter {
        Letter::of(self, letter)
    }

    fn opened(&self, letter: &Message) -> Opened {
        Opened::of(self, letter)
    }

    fn event(&self, message: &Message) -> Option<Event> {
        event(self, message)
    }

    fn forget(&self, durable: &str) {
        memory::Bus::forget(self, durable);
    }

    fn deliver(&self, work: Work) -> Doing<'static, ()> {
        let engine = Engine::new(self.clone(), work.target, work.seen)
            .named(CONNECTOR)
            .traced(&work.telemetry, "memory");
        Box::pin(follow(engine, work.bus, work.stop))
    }
}
