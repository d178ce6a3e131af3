//! A function, its topics, and the broker they are on.

use openfaas_delivery::broker::Message;
use openfaas_delivery::dead_letter::Notes;
use openfaas_delivery::wiring::Wiring;
use openfaas_tests::contract::Process;
use openfaas_tests::runner::until;
use openfaas_tests::{kafka, nats};
use serde_json::{Value, json};

use crate::function;

/// Topics of its own on a broker, and how a function is wired to them.
pub(crate) struct Stage {
    broker: Broker,
    /// The topic, and its own reply and dead-letter topics.
    pub(crate) topic: String,
    pub(crate) replies: String,
    pub(crate) letters: String,
    environment: Vec<(String, String)>,
}

pub(crate) enum Broker {
    Nats(nats::Server, Box<nats::Look>),
    Kafka(&'static kafka::Server),
}

impl Stage {
    /// On a NATS server of its own.
    pub(crate) async fn nats(name: &str) -> Self {
        let server = nats::Server::start();
        let look = server.look().await;
        let address = server.address();
        let set = [
            ("events_broker", "nats"),
            ("broker_host", &address),
            ("ack_wait", "800ms"),
            ("HOSTNAME", "door-1"),
        ];
        Self::new(Broker::Nats(server, Box::new(look)), name, &set).await
    }

    /// On the Kafka server of this test binary.
    pub(crate) async fn kafka(name: &str) -> Self {
        Self::on_kafka(kafka::Server::shared(), name).await
    }

    /// On a Kafka server that may be killed.
    pub(crate) async fn kafka_of_its_own(name: &str) -> Self {
        // It ends with this process.
        Self::on_kafka(Box::leak(Box::new(kafka::Server::start())), name).await
    }

    async fn on_kafka(server: &'static kafka::Server, name: &str) -> Self {
        let hosts = server.hosts();
        let set = [
            ("events_broker", "kafka"),
            ("broker_hosts", hosts.as_str()),
            ("session_timeout", "2"),
        ];
        Self::new(Broker::Kafka(server), name, &set).await
    }

    async fn new(broker: Broker, name: &str, set: &[(&str, &str)]) -> Self {
        let topic = |kind: &str| format!("{name}-{kind}");
        let (inputs, replies, letters) = (topic("in"), topic("out"), topic("dead"));
        let wired = [
            ("OPENFAAS_NAME", name),
            ("events_topic", &inputs),
            ("events_reply_topic", &replies),
            ("events_dead_letter_topic", &letters),
            ("com_openfaas_retry_min_wait", "50ms"),
            ("com_openfaas_retry_max_wait", "100ms"),
            ("healthcheck_interval", "50ms"),
        ];
        let set = set.iter().chain(&wired);
        let environment = set.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let stage = Self {
            environment: environment.collect(),
            broker,
            topic: inputs.clone(),
            replies: replies.clone(),
            letters: letters.clone(),
        };
        for topic in [inputs, replies, letters] {
            stage.broker.create(&topic).await;
        }
        stage
    }

    /// The function, wired, and with more in its environment.
    pub(crate) fn start(&self, more: &[(&str, &str)]) -> Process {
        let own = self.environment.iter();
        let mut set: Vec<_> = own.map(|(name, value)| (&**name, &**value)).collect();
        set.extend(more);
        function().start(&set)
    }

    /// The function, with no more than a way to its broker.
    pub(crate) fn publisher(&self, more: &[(&str, &str)]) -> Process {
        let own = self.environment.iter();
        let own = own.filter(|(name, _)| name != "events_topic");
        let mut set: Vec<_> = own.map(|(name, value)| (&**name, &**value)).collect();
        set.extend(more);
        function().start(&set)
    }

    /// What is said of its dead letters.
    pub(crate) async fn letters(&self) -> Vec<Notes> {
        let letters = self.messages(&self.letters).await;
        let notes = |letter| Notes::of(letter).expect("a letter has notes");
        letters.iter().map(notes).collect()
    }

    /// The function's name.
    pub(crate) fn name(&self) -> &str {
        self.topic.trim_end_matches("-in")
    }

    /// Ends its server like a power cut.
    pub(crate) fn kill(&mut self) {
        match &mut self.broker {
            Broker::Nats(server, _) => server.kill(),
            Broker::Kafka(server) => server.kill(),
        }
    }

    /// Starts it again, with all that was stored.
    pub(crate) fn restart(&mut self) {
        match &mut self.broker {
            Broker::Nats(server, _) => server.restart(),
            Broker::Kafka(server) => server.restart(),
        }
    }

    /// Publishes an event that says what to do with it, as a foreign client does: structured.
    pub(crate) async fn publish(&self, id: &str, act: &str) {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/test", "type": "to.do", "partitionkey": id,
            "traceparent": format!("00-{TRACE}-00f067aa0ba902b7-01"), "data": { "do": act },
        });
        self.broker.publish(&self.topic, id, &event).await;
    }

    /// Publishes what no client would, on NATS: this block of headers as it is.
    pub(crate) fn publish_raw(&self, headers: &[u8], body: &[u8]) {
        if let Broker::Nats(server, _) = &self.broker {
            server.publish_raw(&self.topic, headers, body);
        }
    }

    /// What lies in a topic.
    pub(crate) async fn messages(&self, topic: &str) -> Vec<Message> {
        self.broker.messages(topic).await
    }

    /// Which events were replied to, each once, and with which attempt it was done.
    pub(crate) async fn done(&self) -> Vec<(String, u64)> {
        let messages = self.messages(&self.replies).await;
        let done = |message: &Message| {
            let body: Value = serde_json::from_slice(message.body.as_deref()?).ok()?;
            Some((body["done"].as_str()?.to_owned(), body["attempt"].as_u64()?))
        };
        let mut done: Vec<_> = messages.iter().filter_map(done).collect();
        done.sort();
        done.dedup_by(|one, other| one.0 == other.0);
        done
    }

    /// Waits until these have been replied to, each at its first attempt.
    pub(crate) async fn until_done(&self, ids: &[&str]) {
        let wanted: Vec<_> = ids.iter().map(|id| ((*id).to_owned(), 1)).collect();
        let done = async || (self.done().await == wanted).then_some(());
        until(&format!("{ids:?} are done"), done).await;
    }

    /// How many events are not settled.
    pub(crate) async fn backlog(&self) -> usize {
        let name = self.name();
        let wiring = Wiring::new(name, "openfaas-fn", [self.topic.as_str()]);
        match &self.broker {
            Broker::Nats(_, look) => {
                let durable = wiring.durable(&self.topic);
                look.backlog(&self.topic, &durable).await
            }
            Broker::Kafka(server) => server.lag(&wiring.group(), &self.topic),
        }
    }

    /// Waits until everything is settled.
    pub(crate) async fn until_settled(&self) {
        until("all is settled", async || {
            (self.backlog().await == 0).then_some(())
        })
        .await;
    }
}

impl Broker {
    /// Makes a topic.
    pub(crate) async fn create(&self, topic: &str) {
        match self {
            Broker::Nats(_, look) => look.stream(topic).await,
            Broker::Kafka(server) => server.create(topic, 1, &[]).await,
        }
    }

    /// Publishes an event as a foreign client does: structured.
    pub(crate) async fn publish(&self, topic: &str, key: &str, event: &Value) {
        let media_type = "application/cloudevents+json";
        match self {
            Broker::Nats(_, look) => look.publish(topic, media_type, event).await,
            Broker::Kafka(server) => server.publish(topic, key, media_type, event),
        }
    }

    /// What lies in a topic.
    pub(crate) async fn messages(&self, topic: &str) -> Vec<Message> {
        match self {
            Broker::Nats(_, look) => look.messages(topic).await,
            Broker::Kafka(server) => server.messages(topic),
        }
    }
}

/// The trace that every event is of.
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Waits until a function answers that it is ready.
pub(crate) async fn until_ready(function: &Process) {
    let ready = async || {
        let reply = function.try_get("/_/ready")?;
        (reply.status == 200).then_some(())
    };
    until("it is ready", ready).await;
}

/// One test per story, over each broker.
macro_rules! over_both {
    ($($story:ident),* $(,)?) => {
        mod nats {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(crate::support::Stage::nats(stringify!($story)).await).await;
                }
            )*
        }
        mod kafka {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $story() {
                    super::$story(crate::support::Stage::kafka(stringify!($story)).await).await;
                }
            )*
        }
    };
}
pub(crate) use over_both;
