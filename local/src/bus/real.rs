//! Topics on a real broker. What they need is made there.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use openfaas_cloudevents::Event;
#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::{Kafka, Settings};
#[cfg(feature = "nats")]
use openfaas_delivery::nats::{Config, Nats};
use openfaas_delivery::{
    broker::{Broker, Inspect, Message, OpenError, Position, PublishError, Purpose, Stored},
    dead_letter::{self, Notes},
    engine::Engine,
    ids,
    letters::{Access, Letter, LetterStore, Letters, Opened},
    wiring::{Broker as Kind, Format},
};

use super::{
    CONNECTOR, Doors,
    deliveries::follow,
    topics::{BrokerError, Doing, Topics, Work, event},
};
use crate::gateway::uuid;

/// A broker.
struct Real<B> {
    broker: B,
    /// The same once more, for the deliveries.
    other: Mutex<Option<B>>,
    /// What a function with a door needs.
    doors: Doors,
    /// What is known to be there.
    made: Mutex<BTreeSet<String>>,
}

/// NATS at this address, with the rest of its settings from the environment.
#[cfg(feature = "nats")]
pub(super) async fn nats(url: &str) -> Result<Arc<dyn Topics>, BrokerError> {
    let wrong = |error: &dyn fmt::Display| BrokerError::Wrong(url.to_owned(), error.to_string());
    let settings = Asked::with("broker_host", url);
    let config = Config::from_lookup(|key| settings.get(key));
    let config = config.map_err(|error| wrong(&error))?;
    let nats = Nats::connect(&config)
        .await
        .map_err(|error| wrong(&error))?;
    let doors = settings.doors(Kind::Nats);
    Ok(Arc::new(Real::new(nats.clone(), nats, doors)))
}

/// The same for Kafka.
#[cfg(feature = "kafka")]
pub(super) fn kafka(url: &str, hosts: &str) -> Result<Arc<dyn Topics>, BrokerError> {
    let asked = Asked::with("broker_hosts", hosts);
    let settings = Settings::from_lookup(|key| asked.get(key));
    let settings = settings.map_err(|error| BrokerError::Wrong(url.to_owned(), error))?;
    let (broker, other) = (Kafka::new(settings.clone()), Kafka::new(settings));
    let doors = asked.doors(Kind::Kafka);
    Ok(Arc::new(Real::new(broker, other, doors)))
}

/// What of the environment says how to reach a broker: whatever it was asked for and holds.
struct Asked {
    /// The name and value that the command line gives.
    given: (&'static str, String),
    found: RefCell<BTreeMap<String, String>>,
}

impl Asked {
    fn with(name: &'static str, value: &str) -> Self {
        let given = (name, value.to_owned());
        let found = RefCell::default();
        Self { given, found }
    }

    fn get(&self, key: &str) -> Option<String> {
        let value = match key == self.given.0 {
            true => Some(self.given.1.clone()),
            false => std::env::var(key).ok(),
        };
        let found = value.clone().map(|value| (key.to_owned(), value));
        self.found.borrow_mut().extend(found);
        value
    }

    fn doors(self, broker: Kind) -> Doors {
        Doors {
            broker,
            settings: self.found.into_inner(),
        }
    }
}

impl<B: Broker + Inspect + LetterStore> Real<B> {
    fn new(broker: B, other: B, doors: Doors) -> Self {
        Self {
            broker,
            other: Mutex::new(Some(other)),
            doors,
            made: Mutex::default(),
        }
    }

    async fn find_or_make(&self, topic: &str, purpose: Option<Purpose>) -> Result<(), OpenError> {
        let known = |made: &mut BTreeSet<String>| made.contains(topic);
        if known(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        match self.broker.find(topic).await {
            Err(OpenError::NotReady(_)) => self.broker.create(topic, purpose).await?,
            found => found?,
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(topic.to_owned());
        Ok(())
    }

    async fn store(&self, topic: &str, event: &Event) -> Result<Position, PublishError> {
        let there = self.find_or_make(topic, None).await;
        there.map_err(|error| PublishError::Unavailable(error.to_string()))?;
        let encoded = self.broker.encode(&Arc::from(topic), event, Format::Binary);
        let mut publication = encoded.map_err(PublishError::Refused)?;
        publication.dedup = Some(ids::emission(topic, &uuid()));
        Ok(self.broker.publish(&publication).await?.position)
    }

    async fn all(&self, more: &[String]) -> Result<Vec<Message>, OpenError> {
        let mut topics: BTreeSet<String> = self.broker.letter_topics().await?.into_iter().collect();
        topics.extend(more.iter().cloned());
        let mut all = Vec::new();
        for topic in topics {
            let mut letters = match self.broker.letters(&topic, Access::Read).await {
                Ok(letters) => letters,
                // A function's that had none yet.
                Err(OpenError::NotReady(_)) => continue,
                Err(error) => return Err(error),
            };
            while let Some(letter) = letters.next().await? {
                all.push(letter);
            }
        }
        Ok(all)
    }

    async fn redrive(&self, letter: &Message, notes: &Notes) -> Result<Stored, PublishError> {
        let unavailable = |error: OpenError| PublishError::Unavailable(error.to_string());
        let opened = self.broker.letters(&letter.topic, Access::Change).await;
        let mut letters = opened.map_err(unavailable)?;
        let back = dead_letter::put_back(letter, notes);
        letters.put_back(letter, &back).await
    }
}

impl<B: Broker + Inspect + LetterStore> Topics for Real<B> {
    fn doors(&self) -> Option<&Doors> {
        Some(&self.doors)
    }

    fn publish<'a>(
        &'a self,
        topic: &'a str,
        event: &'a Event,
    ) -> Doing<'a, Result<Position, PublishError>> {
        Box::pin(self.store(topic, event))
    }

    fn make<'a>(
        &'a self,
        topic: &'a str,
        purpose: Option<Purpose>,
    ) -> Doing<'a, Result<(), String>> {
        Box::pin(async move {
            let made = self.find_or_make(topic, purpose).await;
            made.map_err(|error| error.to_string())
        })
    }

    fn letters<'a>(&'a self, more: &'a [String]) -> Doing<'a, Result<Vec<Message>, String>> {
        Box::pin(async move { self.all(more).await.map_err(|error| error.to_string()) })
    }

    fn put_back<'a>(
        &'a self,
        letter: &'a Message,
        notes: &'a Notes,
    ) -> Doing<'a, Result<Stored, PublishError>> {
        Box::pin(self.redrive(letter, notes))
    }

    fn shown(&self, letter: &Message) -> Letter {
        Letter::of(&self.broker, letter)
    }

    fn opened(&self, letter: &Message) -> Opened {
        Opened::of(&self.broker, letter)
    }

    fn event(&self, message: &Message) -> Option<Event> {
        event(&self.broker, message)
    }

    /// What waits on a broker is the user's.
    fn forget(&self, _: &str) {}

    fn deliver(&self, work: Work) -> Doing<'static, ()> {
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        let broker = other.take().expect("a run delivers once");
        let engine = Engine::new(broker, work.target, work.seen)
            .named(CONNECTOR)
            .traced(&work.telemetry, self.doors.broker.name());
        Box::pin(follow(engine, work.bus, work.stop))
    }
}

impl<B> fmt::Debug for Real<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Real").field(&self.doors.broker).finish()
    }
}
