//! From 0 to six and back to 0, by what `openfaas-operator render` says and what our owners keep at the broker.

use std::process::Command;
use std::time::Duration;

use openfaas_delivery::broker::{Broker, Count, Demand, Source, SourceEvent, Subscription};
use openfaas_delivery::kafka::{Kafka, Settings};
use openfaas_delivery::nats::{Config, Nats};
use openfaas_delivery::wiring::{Order, Start, Wiring};
use openfaas_stack::Stack;
use openfaas_tests::tools::{built, run};
use openfaas_tests::{kafka, nats};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::time::timeout;

use crate::brain::Cluster;

/// As many as six replicas have in hand with `events.concurrency` 10.
const EVENTS: usize = 60;

/// How long the next event may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stack with one function that has a door, and what is rendered of it.
fn stack(annotations: &str, options: &[&str]) -> (Wiring, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stack.yml");
    let text = format!(
        "provider: {{name: openfaas}}\nfunctions:\n  order: {{lang: rust-otlp-event, handler: ., image: order, annotations: {{topic: orders, \
         events.door: 'true', events.concurrency: 10, {annotations}}}}}\n"
    );
    std::fs::write(&path, &text).unwrap();
    let mut render = Command::new(built("openfaas-operator"));
    render
        .arg("render")
        .arg(&path)
        .args(["--profile", "plain", "--prometheus", ""]);
    render
        .args(["--polling-interval", "2", "--cooldown", "5"])
        .args(options);
    let wiring = Stack::load(&path)
        .unwrap()
        .function("order")
        .unwrap()
        .door()
        .unwrap()
        .unwrap();
    (wiring, run(&mut render))
}

/// Owns the function's topic until so many events are settled.
async fn own<B: Broker>(broker: &B, wiring: &Wiring, events: usize) {
    let topic = "orders";
    let subscription = Subscription {
        topic: topic.into(),
        durable: broker.durable(wiring, topic).into(),
        start: Start::Oldest,
        ordered: wiring.order == Order::Key,
        window: (wiring.order == Order::Key).then_some(wiring.window),
        transactions: false,
    };
    let source = timeout(PATIENCE, broker.open(&subscription))
        .await
        .expect("it opens in time")
        .unwrap();
    let bytes = u64::MAX / 2;
    source.demand(Demand {
        up_to: Count {
            messages: 1_000,
            bytes,
        },
        any_size_after: None,
    });
    let (mut settled, mut assigned) = (0, false);
    while settled < events || !assigned {
        match timeout(PATIENCE, source.next())
            .await
            .expect("something comes")
        {
            SourceEvent::Assigned(_) => assigned = true,
            SourceEvent::Message(message) => {
                source.settle(&message.position).await.unwrap();
                settled += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    source.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_follows_its_durable_on_nats_from_zero_and_back() {
    let cluster = Cluster::start();
    let monitoring = openfaas_tests::runner::free_port();
    let server = nats::Server::configured(&format!("http: \"127.0.0.1:{monitoring}\""));
    let look = server.look().await;
    look.stream("orders").await;
    let endpoint = format!("127.0.0.1:{monitoring}");
    let (wiring, manifest) = stack(
        "events.broker: nats, events.order: none",
        &["--nats-monitoring", &endpoint, "--stream", "orders=orders"],
    );
    let broker = Nats::connect(&Config::new(server.address())).await.unwrap();

    cluster.deploy("order");
    own(&broker, &wiring, 0).await;
    let account = [
        "create",
        "configmap",
        "openfaas-nats",
        "--namespace",
        "openfaas-fn",
        "--from-literal=account=$G",
    ];
    cluster.ask(&account).expect("a ConfigMap");
    cluster.apply(&manifest);
    cluster.until_replicas("order", 0);

    for _ in 0..EVENTS {
        look.jetstream
            .publish("orders", "{}".into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    cluster.until_replicas("order", 6);

    own(&broker, &wiring, EVENTS).await;
    cluster.until_replicas("order", 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_follows_its_group_on_kafka_from_zero_and_back() {
    let cluster = Cluster::start();
    let server = kafka::Server::start();
    server.create("orders", 6, &[]).await;
    server.create("dead-letter.openfaas-fn.order", 1, &[]).await;
    let (wiring, manifest) = stack("events.broker: kafka", &["--kafka", &server.hosts()]);
    let broker = Kafka::new(Settings::new(server.hosts()));

    cluster.deploy("order");
    own(&broker, &wiring, 0).await;
    cluster.apply(&manifest);
    cluster.until_replicas("order", 0);

    let producer: BaseProducer = server.client().create().unwrap();
    for event in 0..EVENTS {
        let partition = i32::try_from(event % 6).unwrap();
        let record: BaseRecord<'_, str, str> =
            BaseRecord::to("orders").partition(partition).payload("{}");
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    cluster.until_replicas("order", 6);

    own(&broker, &wiring, EVENTS).await;
    cluster.until_replicas("order", 0);
}
