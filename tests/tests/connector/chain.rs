//! The order chain of this repository's `stack.yml` over each broker: its functions behind the gateway of `openfaas-local`,
//! whose own bus stays idle, and this connector between them and the broker.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use openfaas_delivery::broker::Message;
use openfaas_tests::connector::Connector;
use openfaas_tests::kafka;
use openfaas_tests::nats;
use openfaas_tests::runner::{Runner, until};
use openfaas_tests::tools::{needed, repository};
use serde_json::{Value, json};

use crate::support::{Plain, publish_to_kafka, publish_to_nats, until_metric};

/// What `stack.yml` has topics for.
const TOPICS: [&str; 5] = ["orders", "payments", "shipments", "shipped", "declined"];

/// Its functions.
const FUNCTIONS: [&str; 4] = ["storefront", "order", "payment", "shipment"];

/// The id of an order, its customer, card and price; without a price there is nothing in it.
const ORDERS: [(&str, &str, &str, u64); 8] = [
    ("good", "ada", "4000-1234", 900),
    ("declined", "bob", "4000-5678", 99_900),
    ("busy", "cy", "busy", 2_900),
    ("poison", "eve", "4000-9012", 0),
    ("first", "dan", "4000-3456", 300),
    ("second", "dan", "4000-3456", 200),
    ("kills", "fay", "kills", 700),
    ("neighbour", "gus", "4000-7890", 500),
];

/// A function of of-watchdog.
const SHOUT: &str = "
  shout:
    lang: dockerfile
    handler: ./shout
    image: shout:1
    environment:
      mode: streaming
      fprocess: tr a-z A-Z
    annotations:
      topic: whispers
      events.reply-topic: shouts
";

/// One that says what it got.
const ECHO: &str = "
  echo:
    lang: dockerfile
    handler: ./echo
    image: echo:1
    annotations:
      topic: shouts
      events.reply-topic: echoes
";

/// A broker as somebody else's client sees it.
trait Outside {
    async fn publish(&self, message: Plain);
    async fn messages(&self, topic: &str) -> Vec<Message>;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_chain_runs_over_nats() {
    let server = nats::Server::start();
    let look = server.look().await;
    for topic in TOPICS {
        look.stream(topic).await;
    }
    look.stream("dead-letter.>").await;
    let (runner, address) = (orders(), server.address());
    let connector = Connector::start(
        "nats",
        &[("broker_host", &address), ("gateway_url", &runner.gateway)],
    )
    .await;
    run(&look, &runner, &connector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_chain_runs_over_kafka() {
    let server = kafka::Server::shared();
    let letters = FUNCTIONS.map(|function| format!("dead-letter.openfaas-fn.{function}"));
    for topic in TOPICS {
        server.create(topic, 3, &[]).await;
    }
    for topic in &letters {
        server.create(topic, 1, &[]).await;
    }
    let (runner, hosts) = (orders(), server.hosts());
    let connector = Connector::start(
        "kafka",
        &[("broker_hosts", &hosts), ("gateway_url", &runner.gateway)],
    )
    .await;
    run(server, &runner, &connector).await;
}

/// The functions of `stack.yml`, served.
fn orders() -> Runner {
    let stack = repository().join("stack.yml").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    Runner::start_with(folder, &["--yaml", &stack], &[("demo_faults", "true")])
}

/// An order in each of the ways in which somebody may write it: structured, binary, and plain JSON.
fn written(index: usize) -> Plain {
    let (id, customer, card, price) = ORDERS[index];
    let line = json!({ "item": "tea", "quantity": 1, "price": price });
    let lines: Vec<Value> = Some(line).filter(|_| price > 0).into_iter().collect();
    let order = json!({ "id": id, "customer": customer, "card": card, "lines": lines });
    let attributes = [
        ("specversion", "1.0"),
        ("id", id),
        ("type", "order.placed"),
        ("source", "/test"),
        ("datacontenttype", "application/json"),
        ("partitionkey", customer),
    ];
    let mut plain = Plain {
        topic: "orders",
        key: customer,
        ..Plain::default()
    };
    match id {
        "good" | "poison" | "kills" => {
            let mut event: BTreeMap<&str, Value> =
                attributes.map(|(name, value)| (name, json!(value))).into();
            event.insert("data", order);
            plain.media_type = "application/cloudevents+json";
            plain.body = json!(event).to_string();
        }
        "declined" | "first" | "second" => {
            plain.attributes = attributes[..4].to_vec();
            plain.attributes.push(attributes[5]);
            plain.media_type = "application/json";
            plain.body = order.to_string();
        }
        _ => plain.body = order.to_string(),
    }
    plain
}

async fn run(broker: &impl Outside, runner: &Runner, connector: &Connector) {
    for index in 0..ORDERS.len() {
        broker.publish(written(index)).await;
    }
    let last = async |topic: &str, count: usize| {
        let all =
            async || Some(ids(&broker.messages(topic).await)).filter(|ids| ids.len() >= count);
        until(&format!("{count} in {topic}"), all).await
    };
    let shipped = last("shipped", 5).await;
    for id in ["good", "busy", "first", "second", "neighbour"] {
        assert_eq!(
            shipped.iter().filter(|found| *found == id).count(),
            1,
            "{id}: {shipped:?}"
        );
    }
    let place = |id: &str| shipped.iter().position(|found| found == id);
    assert!(place("first") < place("second"), "{shipped:?}");
    assert_eq!(last("declined", 1).await, ["declined"]);
    let letter = async |function: &str| {
        let topic = format!("dead-letter.openfaas-fn.{function}");
        let letter = async || broker.messages(&topic).await.pop();
        until(&topic, letter).await
    };
    for (function, id, reason) in [
        ("order", "poison", "nothing in it"),
        ("payment", "kills", "died of it 5 times"),
    ] {
        let letter = letter(function).await;
        assert_eq!(ids(std::slice::from_ref(&letter)), [id]);
        let notes = letter.header("openfaas-dead-letter").unwrap();
        assert!(notes.contains(reason), "{notes}");
    }
    for (id, status) in [
        ("good", "shipped"),
        ("declined", "declined"),
        ("neighbour", "shipped"),
    ] {
        let path = format!("/function/storefront/orders/{id}");
        let told =
            async || Some(runner.get(&path).await).filter(|said| *said == (200, status.to_owned()));
        until(&format!("{id} is {status}"), told).await;
    }
    for function in FUNCTIONS {
        let label = format!("function=\"{function}\"");
        until_metric(connector, "openfaas_delivery_lag_messages", &[&label], "0").await;
    }
    let output = connector.output();
    assert!(!output.contains("4000-"), "{output}");
    let idle = runner.json("/local/dead-letters").await;
    assert_eq!(idle.as_array().map(Vec::len), Some(0), "{idle}");
}

/// The order that each message is about, or its body where that is no order.
fn ids(messages: &[Message]) -> Vec<String> {
    let id = |message: &Message| {
        let body = message.body.as_deref().unwrap_or_default();
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let data = if json["data"].is_object() {
            &json["data"]
        } else {
            &json
        };
        let id = data["order"].as_str().or(data["id"].as_str());
        id.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
    };
    messages.iter().map(id).collect()
}

impl Outside for nats::Look {
    async fn publish(&self, message: Plain) {
        publish_to_nats(self, message).await;
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        let stream = match topic.starts_with("dead-letter.") {
            true => "dead-letter.>",
            false => topic,
        };
        let mut messages = nats::Look::messages(self, stream).await;
        messages.retain(|message| &*message.topic == topic);
        messages
    }
}

impl Outside for kafka::Server {
    async fn publish(&self, message: Plain) {
        publish_to_kafka(self, message);
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        kafka::Server::messages(self, topic)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_speaks_nothing_but_http_takes_part() {
    let echo = others(
        ECHO,
        &[("echo", env!("CARGO_BIN_EXE_local-fixture"))],
        "shouts",
        1,
    )
    .await;
    assert_eq!(echo["body"], "hello");
    assert_eq!(echo["headers"]["ce-type"], "openfaas.message");
    assert_eq!(echo["headers"]["x-topic"], "shouts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_of_watchdog_takes_part() {
    let Some(watchdog) = needed("of-watchdog", "a_function_of_of_watchdog_takes_part") else {
        return;
    };
    // The one port for metrics that of-watchdog knows.
    let free = async || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8081)).ok();
    drop(until("port 8081 is free", free).await);
    let programs = [
        ("echo", env!("CARGO_BIN_EXE_local-fixture")),
        ("shout", watchdog.to_str().unwrap()),
    ];
    let echo = others(&format!("{SHOUT}{ECHO}"), &programs, "whispers", 2).await;
    assert_eq!(echo["body"], "HELLO");
    assert_eq!(echo["headers"]["ce-type"], "openfaas.reply");
}

/// What `echo` says once `hello` was published to this topic; its reply is that many hops away.
async fn others(stack: &str, programs: &[(&str, &str)], topic: &'static str, hops: u32) -> Value {
    let server = nats::Server::start();
    let look = server.look().await;
    for topic in ["whispers", "shouts", "echoes", "dead-letter.>"] {
        look.stream(topic).await;
    }
    let program = |(name, path): &(&str, &str)| ["--binary".to_owned(), format!("{name}={path}")];
    let arguments: Vec<String> = programs.iter().flat_map(program).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runner = Runner::start(stack, &arguments);
    let address = server.address();
    let _connector = Connector::start(
        "nats",
        &[("broker_host", &address), ("gateway_url", &runner.gateway)],
    )
    .await;
    let message = Plain {
        topic,
        body: "hello".to_owned(),
        ..Plain::default()
    };
    publish_to_nats(&look, message).await;
    let last = async || look.messages("echoes").await.pop();
    let last = until("an echo", last).await;
    assert_eq!(last.header("ce-hopcount"), Some(hops.to_string().as_str()));
    serde_json::from_slice(&last.body.unwrap()).unwrap()
}
