//! What every promise needs: a broker, a function, and somebody who waits for something.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use openfaas_cloudevents::{Data, Event};

use super::function::Function;
use super::gate::Gated;
use crate::broker::{Broker, Codec, Decoded, Message, Publication};
use crate::call::{Call, Outcome};
use crate::clock::{Clock, SystemClock};
use crate::engine::{Control, Delivery, Ended, Engine};
use crate::observe::Observer;
use crate::target::Target;
use crate::wiring::{Format, ReplyTopics, Wiring};

/// Nothing that a promise waits for takes longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker to test.
pub trait Stand: Send + Sync {
    /// What engines use.
    type Broker: Broker;

    /// A connection of its own to the same broker.
    fn broker(&self) -> Self::Broker;

    /// Makes a topic, where that is not done by using it.
    fn create(&self, topic: &str) -> impl Future<Output = ()> + Send;

    /// All messages that are in a topic, oldest first.
    fn messages(&self, topic: &str) -> impl Future<Output = Vec<Message>> + Send;

    /// Messages of `topic` that this function has not settled.
    fn backlog(&self, wiring: &Wiring, topic: &str) -> impl Future<Output = usize> + Send;

    /// Whether functions ask for transactions.
    fn transactions(&self) -> bool {
        false
    }
}

/// A function on a topic, with names that no other promise uses.
pub(super) struct Scene<'a, S: Stand> {
    pub(super) stand: &'a S,
    /// What the events of this scene are stored through.
    publisher: S::Broker,
    pub(super) wiring: Wiring,
    pub(super) function: Function,
    pub(super) door: bool,
    /// Nothing is stored in `shut_topic` while this is set.
    pub(super) shut: Arc<AtomicBool>,
    pub(super) shut_topic: String,
}

impl<'a, S: Stand> Scene<'a, S> {
    pub(super) async fn new(stand: &'a S, name: &str, function: Function) -> Self {
        let mut wiring = Wiring::new(name, "promises", [format!("{name}-in")]);
        wiring.replies = ReplyTopics::parse(&format!("{name}-out")).expect("a topic's name");
        wiring.transactions = stand.transactions();
        wiring.retry.min_wait = Duration::from_millis(20);
        wiring.retry.max_wait = Duration::from_millis(200);
        for topic in [
            &format!("{name}-in"),
            &format!("{name}-out"),
            &wiring.dead_letters,
        ] {
            stand.create(topic).await;
        }
        let shut_topic = format!("{name}-out");
        Self {
            stand,
            publisher: stand.broker(),
            wiring,
            function,
            door: false,
            shut: Arc::default(),
            shut_topic,
        }
    }

    pub(super) fn input(&self) -> &str {
        &self.wiring.topics[0]
    }

    pub(super) fn output(&self) -> String {
        self.wiring.replies.topics()[0].to_owned()
    }

    /// Stores an event in the input.
    pub(super) async fn publish(&self, event: &Event) {
        let publication = self
            .publisher
            .encode(&Arc::from(self.input()), event, Format::Binary)
            .expect("a valid event");
        self.publish_raw(publication).await;
    }

    pub(super) async fn publish_raw(&self, publication: Publication) {
        let stored = self.publisher.publish(&publication).await;
        stored.expect("the broker stores");
    }

    /// Delivers until `enough` is done, then drains.
    pub(super) async fn deliver(&self, enough: impl Future<Output = ()>) -> Ended {
        self.deliver_seen_by((), enough).await
    }

    /// The same, with somebody who looks, and is told every moment how it stands.
    pub(super) async fn deliver_seen_by(
        &self,
        observer: impl Observer,
        enough: impl Future<Output = ()>,
    ) -> Ended {
        let broker = Gated {
            inner: self.stand.broker(),
            topic: self.shut_topic.clone(),
            shut: Arc::clone(&self.shut),
        };
        let engine = Engine::new(broker, self.function.clone(), observer);
        let engine = engine.measured(Duration::from_millis(20));
        let control = Control::new();
        let delivery = Delivery {
            door: self.door,
            ..Delivery::to(self.wiring.clone())
        };
        let enough = async {
            enough.await;
            control.drain();
        };
        let (ended, ()) =
            within(async { tokio::join!(engine.run(delivery, &control), enough) }).await;
        ended
    }

    /// Delivers until `enough` is done, then dies.
    pub(super) async fn deliver_and_die(&self, enough: impl Future<Output = ()>) {
        let engine = Engine::new(self.stand.broker(), self.function.clone(), ());
        let control = Control::new();
        let delivery = Delivery {
            door: self.door,
            ..Delivery::to(self.wiring.clone())
        };
        within(async {
            tokio::select! {
                _ = engine.run(delivery, &control) => panic!("nobody said drain"),
                () = enough => {}
            }
        })
        .await;
    }

    /// Delivers to this function and to another one, with so large a budget for both, until `enough` is done.
    pub(super) async fn deliver_beside(
        &self,
        other: &Self,
        budget: usize,
        enough: impl Future<Output = ()>,
    ) {
        let both = Both {
            name: self.wiring.function.clone(),
            one: self.function.clone(),
            other: other.function.clone(),
        };
        let engine = Engine::new(self.stand.broker(), both, ()).with_budget(budget);
        let control = Control::new();
        let run = |scene: &Self| engine.run(Delivery::to(scene.wiring.clone()), &control);
        let enough = async {
            enough.await;
            control.drain();
        };
        within(async { tokio::join!(run(self), run(other), enough) }).await;
    }

    /// What is unsettled.
    pub(super) async fn backlog(&self) -> usize {
        self.stand.backlog(&self.wiring, self.input()).await
    }

    /// Waits until nothing is unsettled.
    pub(super) async fn settled(&self) {
        until(async || self.backlog().await == 0).await;
    }

    pub(super) async fn inputs(&self) -> Vec<Message> {
        self.stand.messages(self.input()).await
    }

    pub(super) async fn letters(&self) -> Vec<Message> {
        self.stand.messages(&self.wiring.dead_letters).await
    }

    pub(super) async fn replies(&self) -> Vec<Event> {
        let broker = self.stand.broker();
        let event = |message: Message| match broker.decode(&message) {
            Decoded::Event(event) => event,
            Decoded::Broken(reason) => panic!("a reply is broken: {reason}"),
        };
        self.stand
            .messages(&self.output())
            .await
            .into_iter()
            .map(event)
            .collect()
    }
}

/// Two functions behind one target.
struct Both {
    /// The first one's.
    name: String,
    one: Function,
    other: Function,
}

impl Both {
    fn of(&self, function: &str) -> &Function {
        match *self.name == *function {
            true => &self.one,
            false => &self.other,
        }
    }
}

impl Target for Both {
    async fn call(&self, call: Call) -> Outcome {
        self.of(&call.function).call(call.clone()).await
    }

    async fn healthy(&self, namespace: &str, function: &str) -> bool {
        self.of(function).healthy(namespace, function).await
    }
}

/// An event of this id and, where it is not empty, this key.
pub(super) fn event(id: &str, key: &str) -> Event {
    let event = Event::new("promise", Data::text("data"))
        .with_id(id)
        .with_source("/promises");
    if key.is_empty() {
        event
    } else {
        event.with_extension("partitionkey", key)
    }
}

/// Waits for a condition.
pub(super) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let clock = SystemClock::start();
    within(async {
        while !condition().await {
            clock
                .sleep_until(clock.now() + Duration::from_millis(5))
                .await;
        }
    })
    .await;
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    // A whole engine may be in there: too much for the stack of a test, with some brokers.
    tokio::time::timeout(PATIENCE, Box::pin(work))
        .await
        .expect("it takes no longer")
}
