//! What functions that are gone left at a broker.

use openfaas_tests::connector::{Connector, Ended, Gateway, run};
use openfaas_tests::kafka::Server;
use openfaas_tests::runner::until;
use rustix::process::Signal;

use crate::support::Scene;

async fn prune(broker: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
    run(&[&["prune", broker], arguments].concat(), environment).await
}

async fn ended(mut connector: Connector) {
    connector.signal(Signal::TERM);
    assert_eq!(connector.wait().await, Some(0), "{}", connector.output());
}

#[tokio::test]
async fn durables_of_functions_that_are_gone_go_and_no_others() {
    let scene = Scene::new(&["orders", "bills.new"]).await;
    let names = ["gone", "gone_too", "here"];
    for name in names {
        scene.gateway.deploy(name, &[("topic", "orders bills.new")]);
    }
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "one").await;
    scene.publish("bills.new", "two").await;
    scene.gateway.until_called(6).await;
    ended(connector).await;
    let durable = |function: &str, topic: &str| {
        openfaas_delivery::wiring::durable("openfaas-fn", function, topic)
    };
    let exists = async |name: &str, topic: &str| scene.look.durable(topic, name).await.is_some();
    // Somebody else's, by its name or by what it takes; and one of another gateway.
    let foreign = ["worker", "openfaas-fn_gone_bills", "staging_gone_orders"];
    for name in foreign {
        let stream = scene.look.jetstream.get_stream("orders").await.unwrap();
        let config = async_nats::jetstream::consumer::pull::Config {
            durable_name: Some(name.to_owned()),
            filter_subject: "orders".to_owned(),
            ..Default::default()
        };
        stream.create_consumer(config).await.unwrap();
    }
    scene.gateway.remove("gone");
    scene.gateway.remove("gone_too");
    let address = scene.server.address();
    let environment = [
        ("broker_host", address.as_str()),
        ("gateway_url", scene.gateway.url.as_str()),
    ];

    scene.gateway.break_list(true);
    let unknown = prune("nats", &environment, &["--yes"]).await;
    assert_eq!(
        unknown.code,
        Some(1),
        "nobody knows who is gone: {unknown:?}"
    );
    scene.gateway.break_list(false);
    let asked = prune("nats", &environment, &[]).await;
    assert_eq!(asked.code, Some(1), "nobody says yes: {asked:?}");
    assert!(asked.stderr.contains("Delete these 4?"), "{asked:?}");
    assert!(
        asked.stderr.contains("does not list the namespace staging"),
        "{asked:?}"
    );
    let dry = prune("nats", &environment, &["--dry-run"]).await;
    assert!(
        dry.stdout.ends_with("4 of functions that are gone\n"),
        "{dry:?}"
    );
    assert!(exists(&durable("gone", "orders"), "orders").await);

    let done = prune("nats", &environment, &["--yes"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let bucket = scene
        .look
        .jetstream
        .get_key_value("openfaas")
        .await
        .unwrap();
    for topic in ["orders", "bills.new"] {
        for name in names {
            let durable = durable(name, topic);
            let stays = name == "here";
            assert_eq!(exists(&durable, topic).await, stays, "{durable}");
            let record = bucket.get(durable.as_str()).await.unwrap();
            assert_eq!(record.is_some(), stays, "the lease of {durable}");
        }
    }
    for name in foreign {
        assert!(exists(name, "orders").await, "{name}");
    }
    let named = prune("nats", &environment, &["--yes", "--namespace", "staging"]).await;
    assert!(named.stdout.ends_with("1 deleted\n"), "{named:?}");
    assert!(!exists("staging_gone_orders", "orders").await);
}

#[tokio::test]
async fn a_durable_whose_owner_has_no_room_for_more_stays() {
    let scene = Scene::new(&["orders"]).await;
    let narrow = ("events.window", "1");
    scene
        .gateway
        .deploy("order", &[("topic", "orders"), narrow]);
    scene.gateway.hold(true);
    let mut connector = scene.connector(&[("ack_wait", "800ms")]).await;
    scene.publish("orders", "one").await;
    scene.publish("orders", "two").await;
    scene.gateway.until_called(1).await;

    let empty = Gateway::start().await;
    let address = scene.server.address();
    let environment = [
        ("broker_host", address.as_str()),
        ("gateway_url", empty.url.as_str()),
    ];
    let used = prune("nats", &environment, &["--yes"]).await;
    let stays = used.stderr.contains("somebody consumes through it");
    assert!(stays, "{used:?}");
    // Nobody renews the lease of one who is dead.
    connector.signal(Signal::KILL);
    connector.wait().await;
    let done = prune("nats", &environment, &["--yes"]).await;
    assert!(done.stdout.ends_with("1 deleted\n"), "{done:?}");
}

#[tokio::test]
async fn groups_of_functions_that_are_gone_go_unless_somebody_is_in_them() {
    let server = Server::shared();
    let gateway = Gateway::start().await;
    // Of its own prefix: other tests have groups too.
    let hosts = server.hosts();
    let environment = [
        ("broker_hosts", hosts.as_str()),
        ("gateway_url", gateway.url.as_str()),
        ("group", "pruned"),
        ("session_timeout", "6"),
    ];
    for name in ["goes", "stays"] {
        server.create(name, 1, &[]).await;
        let letters = format!("dead-letter.openfaas-fn.{name}");
        server.create(&letters, 1, &[]).await;
        gateway.deploy(name, &[("topic", name)]);
    }
    let group = |name: &str| format!("pruned.openfaas-fn.{name}");
    let connector = Connector::start("kafka", &environment).await;
    let begun = async || {
        let of = |name| server.committed(&group(name), name, 0);
        of("goes").zip(of("stays")).map(|_| ())
    };
    until("both groups have begun", begun).await;
    gateway.remove("goes");
    let left = async || {
        let dry = prune("kafka", &environment, &["--dry-run"]).await;
        dry.stdout
            .starts_with("pruned.openfaas-fn.goes")
            .then_some(())
    };
    until("the connector has left the group", left).await;
    let done = prune("kafka", &environment, &["--yes"]).await;
    assert!(done.stdout.ends_with("1 deleted\n"), "{done:?}");
    assert!(server.committed(&group("goes"), "goes", 0).is_none());
    assert!(server.committed(&group("stays"), "stays", 0).is_some());

    // Gone from another gateway's list, while this connector still has it.
    let empty = Gateway::start().await;
    let environment = [
        ("broker_hosts", hosts.as_str()),
        ("gateway_url", empty.url.as_str()),
        ("group", "pruned"),
    ];
    let used = prune("kafka", &environment, &["--yes"]).await;
    assert!(
        used.stderr.contains("somebody consumes through it"),
        "{used:?}"
    );
    assert!(server.committed(&group("stays"), "stays", 0).is_some());
    ended(connector).await;
}
