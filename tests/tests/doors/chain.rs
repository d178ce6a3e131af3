//! The order chain of this repository's `stack.yml`, without gateway and connector: its functions, built with a way to the
//! broker, and their environment.

use std::path::PathBuf;
use std::sync::OnceLock;

use openfaas_delivery::dead_letter::Notes;
use openfaas_delivery::wiring::Wiring;
use openfaas_stack::Stack;
use openfaas_stack::build::{Package, Profile};
use openfaas_tests::contract::{Process, Subject};
use openfaas_tests::runner::until;
use openfaas_tests::tools::{executable, repository};
use openfaas_tests::{kafka, nats};
use serde_json::json;

use crate::support::{Broker, until_ready};

/// The id of an order, its card and price; without a price there is nothing in it.
const ORDERS: [(&str, &str, u64); 6] = [
    ("good", "4000-1234", 900),
    ("declined", "4000-5678", 99_900),
    ("busy", "busy", 2_900),
    ("poison", "4000-9012", 0),
    ("kills", "kills", 700),
    ("neighbour", "4000-7890", 500),
];

/// Where each order ends, and what is said of it there.
const ENDS: [(&str, &str); 6] = [
    ("good", "shipped"),
    ("declined", "declined"),
    ("busy", "shipped"),
    ("neighbour", "shipped"),
    ("poison", "dead-letter.openfaas-fn.order"),
    ("kills", "dead-letter.openfaas-fn.payment"),
];

/// A function of `stack.yml` as it is started.
struct Function {
    program: Subject,
    environment: Vec<(String, String)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_chain_runs_through_doors_on_nats() {
    let server = nats::Server::start();
    let look = server.look().await;
    let address = server.address();
    let broker = Broker::Nats(server, Box::new(look));
    let set = [("broker_host", address.as_str()), ("ack_wait", "800ms")];
    run(broker, "nats", &set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_chain_runs_through_doors_on_kafka() {
    let server = kafka::Server::shared();
    let hosts = server.hosts();
    let set = [("broker_hosts", hosts.as_str()), ("session_timeout", "2")];
    run(Broker::Kafka(server), "kafka", &set).await;
}

async fn run(broker: Broker, kind: &str, set: &[(&str, &str)]) {
    let stack = stack();
    let wirings = || stack.functions.iter().filter_map(wiring);
    for wiring in wirings() {
        for topic in wiring.topics.iter().chain([&wiring.dead_letters]) {
            broker.create(topic).await;
        }
    }
    let functions: Vec<Function> = wirings()
        .zip(programs())
        .map(|(wiring, program)| function(&stack, &wiring, program, kind, set))
        .collect();
    let mut running = Vec::new();
    for function in &functions {
        running.push(function.start());
    }
    for process in &running {
        until_ready(process).await;
    }
    for (id, card, price) in ORDERS {
        let lines: Vec<_> = (price > 0)
            .then(|| json!({ "item": "tea", "quantity": 1, "price": price }))
            .into_iter()
            .collect();
        let order = json!({ "id": id, "customer": id, "card": card, "lines": lines });
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/test", "type": "order.placed",
            "partitionkey": id, "data": order,
        });
        broker.publish("orders", id, &event).await;
    }
    for (id, topic) in ENDS {
        let ended = async || {
            let messages = broker.messages(topic).await;
            let is_it = |message: &&openfaas_delivery::broker::Message| {
                let body = message.body.as_deref().unwrap_or_default();
                String::from_utf8_lossy(body).contains(&format!("\"{id}\""))
            };
            messages.iter().find(is_it).cloned()
        };
        // Who dies is started again, as by a supervisor.
        let supervised = async || {
            for (process, function) in running.iter_mut().zip(&functions) {
                if !process.is_running() {
                    *process = function.start();
                }
            }
            ended().await
        };
        let found = until(&format!("the end of {id}"), supervised).await;
        if id == "kills" {
            assert_eq!(Notes::of(&found).expect("a letter has notes").attempts, 5);
        }
    }
    let storefront = &running[0];
    let line = json!({ "item": "tea", "quantity": 1, "price": 900 });
    let order = json!({ "id": "asked", "customer": "ada", "card": "4000", "lines": [line] });
    let json = [("content-type", "application/json")];
    let answer = storefront.call("POST", "/orders/topic", &json, &order.to_string());
    assert_eq!(answer.status, 202, "{}", answer.body);
    for (id, status) in [
        ("good", "shipped"),
        ("declined", "declined"),
        ("asked", "shipped"),
    ] {
        let path = format!("/orders/{id}");
        let told = async || (storefront.get(&path).body == status).then_some(());
        until(&format!("{id} is {status}"), told).await;
    }
}

impl Function {
    fn start(&self) -> Process {
        let set = self.environment.iter();
        let set: Vec<_> = set.map(|(name, value)| (&**name, &**value)).collect();
        self.program.start(&set)
    }
}

fn stack() -> Stack {
    let path = repository().join("stack.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    let lookup = |name: &str| (name == "demo_faults").then(|| "true".to_owned());
    Stack::parse(&path, &text, lookup).unwrap()
}

fn wiring(function: &openfaas_stack::Function) -> Option<Wiring> {
    let annotations = function.annotations.iter();
    let annotations = annotations.map(pair);
    Wiring::from_annotations(
        function.name.as_str(),
        "openfaas-fn",
        &annotations.collect(),
    )
    .unwrap()
}

fn pair(entry: &openfaas_stack::Entry) -> (String, String) {
    (entry.key.value.clone(), entry.value.value.clone())
}

/// Each function's program, in the order of the file.
fn programs() -> Vec<PathBuf> {
    static PROGRAMS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let build = || {
        let stack = stack();
        let names = stack
            .functions
            .iter()
            .map(|function| function.name.as_str());
        let all = names.map(|name| (name.to_owned(), repository().join("functions").join(name)));
        let packages = Package::plan(all, repository()).into_iter();
        let packages = packages.map(|package| package.with_features(["kafka", "nats"]));
        packages
            .map(|package| executable(&mut package.build(Profile::Debug)))
            .collect()
    };
    PROGRAMS.get_or_init(build).clone()
}

fn function(
    stack: &Stack,
    wiring: &Wiring,
    program: PathBuf,
    kind: &str,
    set: &[(&str, &str)],
) -> Function {
    let own = stack.function(&wiring.function).expect("it is there");
    let own = own.environment.iter();
    let mut environment: Vec<(String, String)> = own.map(pair).collect();
    environment.extend(wiring.to_environment());
    let more = [
        ("OPENFAAS_NAME", wiring.function.as_str()),
        ("HOSTNAME", wiring.function.as_str()),
        ("events_broker", kind),
    ];
    let more = more.iter().chain(set);
    environment.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Function {
        program: Subject::Runtime(program),
        environment,
    }
}
