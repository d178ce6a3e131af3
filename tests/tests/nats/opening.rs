//! What keeps a subscription from opening, or an event from being taken: one sentence each, with the command that helps.

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, SubjectTransform};
use openfaas_delivery::broker::{Broker, OpenError, Purpose};
use openfaas_delivery::call::{Call, Outcome};
use openfaas_delivery::engine::{Control, Delivery, Engine};
use openfaas_delivery::nats::{Config as Address, Nats};
use openfaas_delivery::observe::{Observation, Observer, State, What};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::{Start, Wiring};
use openfaas_tests::nats::Server;

use crate::support::{
    config, connect, durable, message, open, ordered, publish, refusal, shared, with_stream,
};

async fn unready(broker: &Nats, topic: &str, purpose: Purpose) -> String {
    match broker.check(&topic.into(), purpose).await {
        Err(OpenError::NotReady(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_missing_stream_comes_with_the_command_that_makes_it() {
    let server = Server::start();
    let broker = connect(&server).await;
    let sentence = "no stream stores orders: make one with `nats stream add ORDERS --subjects='orders' --defaults`";
    assert_eq!(refusal(&broker, &ordered("orders")).await, sentence);
    assert_eq!(unready(&broker, "orders", Purpose::Reply).await, sentence);
    let letters = unready(&broker, "dead-letter.fn.order", Purpose::DeadLetter).await;
    assert_eq!(
        letters,
        "no stream stores dead-letter.fn.order: make one with `nats stream add DEAD-LETTERS --subjects='dead-letter.>' --defaults`"
    );
}

#[tokio::test]
async fn a_server_that_is_away_or_without_jetstream_says_which() {
    let mut server = Server::start();
    let broker = connect(&server).await;
    server.kill();
    let away = broker.open(&ordered("orders")).await;
    assert!(matches!(away, Err(OpenError::Unavailable(_))), "{away:?}");

    let plain = Server::plain();
    let broker = Nats::connect(&config(&plain)).await.unwrap();
    assert_eq!(
        refusal(&broker, &ordered("orders")).await,
        "JetStream is off at this NATS server: start it with `nats-server -js`"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_told_at_once() {
    let error = Nats::connect(&Address::new("nats://a b"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("NATS at nats://a b: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_work_queue_has_one_function_and_is_read_from_its_oldest() {
    let (server, look) = with_stream("other").await;
    let config = Config {
        retention: RetentionPolicy::WorkQueue,
        ..Config::default()
    };
    look.stream_with("orders", config).await;
    let broker = connect(&server).await;
    let late = openfaas_delivery::broker::Subscription {
        start: Start::New,
        ..shared("orders")
    };
    assert_eq!(
        refusal(&broker, &late).await,
        "stream orders is a work queue, which can only be read from its oldest message: set events.start to oldest"
    );
    let (_source, _) = open(&broker, &shared("orders")).await;
    let second = openfaas_delivery::broker::Subscription {
        durable: "tests_other_orders".into(),
        ..shared("orders")
    };
    assert_eq!(
        refusal(&broker, &second).await,
        "stream orders is a work queue and orders has its one consumer: for several functions make it anew with `nats stream add orders --retention=limits`"
    );
}

#[tokio::test]
async fn a_stream_that_keeps_only_what_is_waited_for_needs_somebody_who_waits() {
    let (server, look) = with_stream("other").await;
    let config = Config {
        retention: RetentionPolicy::Interest,
        ..Config::default()
    };
    look.stream_with("payments", config).await;
    let broker = connect(&server).await;
    // [RUN] It says that it is stored, and it is not.
    let stored = broker
        .publish(&crate::support::publication("payments", "gone"))
        .await;
    assert!(stored.is_ok(), "{stored:?}");
    assert!(look.messages("payments").await.is_empty());

    let sentence = "stream payments keeps only what a consumer waits for, and nobody waits for payments: keep all with `nats stream edit payments --retention=limits`, or start who consumes it first";
    assert_eq!(unready(&broker, "payments", Purpose::Reply).await, sentence);
    let (_source, _) = open(&broker, &shared("payments")).await;
    assert_eq!(
        broker.check(&"payments".into(), Purpose::Reply).await,
        Ok(())
    );
    assert_eq!(
        unready(&broker, "payments", Purpose::DeadLetter).await,
        sentence
    );
}

#[tokio::test]
async fn a_stream_that_is_full_sealed_or_silent_takes_no_event() {
    let (server, look) = with_stream("other").await;
    let broker = connect(&server).await;
    let full = Config {
        max_messages: 1,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    look.stream_with("full", full).await;
    assert_eq!(broker.check(&"full".into(), Purpose::Reply).await, Ok(()));
    publish(&broker, "full", 1).await;
    assert_eq!(
        unready(&broker, "full", Purpose::Reply).await,
        "stream full is full, which keeps full out: make room with `nats stream edit full --max-msgs=-1`"
    );
    let silent = Config {
        no_ack: true,
        ..Config::default()
    };
    look.stream_with("silent", silent).await;
    assert_eq!(
        unready(&broker, "silent", Purpose::Reply).await,
        "stream silent does not say what it has stored: let it with `nats stream edit silent --ack`"
    );
    let mut sealed = look.jetstream.get_stream("other").await.unwrap();
    let config = Config {
        sealed: true,
        ..sealed.info().await.unwrap().config.clone()
    };
    look.jetstream.update_stream(config).await.unwrap();
    assert_eq!(
        unready(&broker, "other", Purpose::DeadLetter).await,
        "stream other is sealed: store other in another one"
    );
}

#[tokio::test]
async fn a_pattern_is_read_where_one_stream_has_all_of_it() {
    let (server, look) = with_stream("orders.>").await;
    let broker = connect(&server).await;
    let (source, _) = open(&broker, &ordered("orders.*")).await;
    publish(&broker, "orders.new", 1).await;
    assert_eq!(&*message(&source).await.topic, "orders.new");
    assert_eq!(
        unready(&broker, "orders.*", Purpose::Reply).await,
        "orders.* is a pattern, to which nothing can be published: name one subject"
    );
    look.stream("bills.a").await;
    look.stream("bills.b").await;
    assert_eq!(
        refusal(&broker, &ordered("bills.*")).await,
        "bills.* lies in more than one stream (bills_a, bills_b): name subjects of one of them, one topic each"
    );
}

#[tokio::test]
async fn a_consumer_of_that_name_that_is_not_ours_is_left_alone() {
    let (server, look) = with_stream("orders").await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let theirs = async_nats::jetstream::consumer::push::Config {
        durable_name: Some(durable("orders")),
        deliver_subject: "somewhere".into(),
        ..Default::default()
    };
    stream.create_consumer(theirs).await.unwrap();
    let broker = connect(&server).await;
    assert_eq!(
        refusal(&broker, &shared("orders")).await,
        "the consumer tests_function_orders of stream orders is not ours, which pulls and acknowledges each message: remove it with `nats consumer rm orders tests_function_orders`"
    );
}

#[tokio::test]
async fn a_durable_is_made_right_and_begins_where_it_stood() {
    let (server, look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 3).await;
    let stream = look.jetstream.get_stream("orders").await.unwrap();
    let dangerous = pull::Config {
        durable_name: Some(durable("orders")),
        max_deliver: 2,
        max_ack_pending: 1,
        metadata: [("owner".to_owned(), "ada".to_owned())].into(),
        ..Default::default()
    };
    stream.create_consumer(dangerous).await.unwrap();
    let (_source, assignment) = open(&broker, &shared("orders")).await;
    assert_eq!((assignment.created, assignment.floor), (None, 1));
    let config = look
        .durable("orders", &durable("orders"))
        .await
        .unwrap()
        .config;
    assert_eq!((config.max_deliver, config.max_ack_pending), (-1, -1));
    assert_eq!(config.metadata["owner"], "ada");
}

#[tokio::test]
async fn where_a_durable_begins_is_said_once() {
    let (server, _look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 3).await;
    let (_all, assignment) = open(&broker, &shared("orders")).await;
    assert_eq!(assignment.created, Some(3));
    let late = openfaas_delivery::broker::Subscription {
        durable: "tests_late_orders".into(),
        start: Start::New,
        ..shared("orders")
    };
    let (_late, assignment) = open(&broker, &late).await;
    assert_eq!((assignment.created, assignment.floor), (Some(0), 4));
}

/// What is not called.
struct Nobody;

impl Target for Nobody {
    async fn call(&self, call: Call) -> Outcome {
        panic!("nothing is delivered: {call:?}")
    }

    async fn healthy(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// Why it is not ready.
struct Refusals(tokio::sync::mpsc::UnboundedSender<String>);

impl Observer for Refusals {
    fn observe(&self, observation: &Observation<'_>) {
        if let What::State(State::NotReady(sentence)) = observation.what {
            let _ = self.0.send(sentence.to_owned());
        }
    }
}

#[tokio::test]
async fn a_function_that_asks_for_transactions_gets_no_event() {
    let (server, _look) = with_stream("orders").await;
    let broker = connect(&server).await;
    publish(&broker, "orders", 1).await;
    let mut wiring = Wiring::new("function", "tests", ["orders"]);
    wiring.transactions = true;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (engine, control) = (Engine::new(broker, Nobody, Refusals(tell)), Control::new());
    let refused = async {
        let sentence = told.recv().await;
        control.drain();
        sentence
    };
    let run = engine.run(Delivery::to(wiring), &control);
    let (_, sentence) = tokio::join!(run, refused);
    assert_eq!(
        sentence.as_deref(),
        Some(
            "`events.transactions` asks for what only Kafka can do: leave it out, or deliver this function's topics over Kafka"
        )
    );
}

#[tokio::test]
async fn letters_that_would_push_one_another_out_are_refused() {
    let server = Server::start();
    let look = server.look().await;
    let config = Config {
        max_messages_per_subject: 1,
        ..Config::default()
    };
    look.stream_with("dead", config).await;
    let broker = connect(&server).await;
    assert_eq!(
        unready(&broker, "dead", Purpose::DeadLetter).await,
        "stream dead keeps the last 1 of dead, so a dead letter would push another one out: keep all with `nats stream edit dead --max-msgs-per-subject=-1`"
    );
    let reply = broker.check(&"dead".into(), Purpose::Reply).await;
    assert_eq!(reply, Ok(()), "the last state of each is what some want");
}

#[tokio::test]
async fn a_topic_that_its_stream_stores_under_another_name_is_refused() {
    let server = Server::start();
    let look = server.look().await;
    let config = Config {
        subject_transform: Some(SubjectTransform {
            source: "orders".into(),
            destination: "stored".into(),
        }),
        ..Config::default()
    };
    look.stream_with("orders", config).await;
    let broker = connect(&server).await;
    assert_eq!(
        refusal(&broker, &ordered("orders")).await,
        "stream orders stores orders as stored, so nobody finds it there: take the subject transform out of the stream"
    );
}
