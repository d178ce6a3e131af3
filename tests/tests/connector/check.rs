//! `--check` and `--create`.

use openfaas_tests::connector::Gateway;
use openfaas_tests::kafka;
use openfaas_tests::nats::Server;

use crate::support::said;

/// A function with replies.
fn deploy(gateway: &Gateway, name: &str, topic: &str, reply: &str) {
    gateway.deploy(name, &[("topic", topic), ("events.reply-topic", reply)]);
}

/// The lines that begin with this word.
fn lines<'a>(output: &'a str, word: &str) -> Vec<&'a str> {
    let lines = output.lines().filter_map(|line| line.strip_prefix(word));
    lines.map(str::trim_start).collect()
}

#[tokio::test]
async fn what_is_missing_on_nats_is_said_and_made_where_that_is_asked_for() {
    let (server, gateway) = (Server::start(), Gateway::start().await);
    let look = server.look().await;
    look.stream("orders").await;
    deploy(&gateway, "order", "orders", "payments");
    let address = server.address();
    let environment = [("broker_host", &*address), ("gateway_url", &*gateway.url)];
    let (code, output) = said(&["nats", "--check"], &environment).await;
    assert_eq!(code, Some(1), "{output}");
    assert_eq!(
        lines(&output, "ok"),
        [
            format!("{} lists 1 functions", gateway.url).as_str(),
            "the broker answers",
            "order.openfaas-fn takes orders",
        ]
    );
    let missing = lines(&output, "missing");
    assert_eq!(missing.len(), 2, "{output}");
    assert!(
        missing[0].starts_with("order.openfaas-fn replies to payments: no stream"),
        "{output}"
    );
    assert!(missing[0].contains("`nats stream add PAYMENTS"), "{output}");
    assert!(
        missing[1].contains("`nats stream add DEAD-LETTERS"),
        "{output}"
    );
    let (code, output) = said(&["nats", "--create"], &environment).await;
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(lines(&output, "made").len(), 2, "{output}");
    let (code, output) = said(&["nats", "--check"], &environment).await;
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(gateway.calls().len(), 0);
    let durable = look.durable("orders", "openfaas-fn_order_orders").await;
    assert!(durable.is_none(), "nothing is made that was not asked for");
}

#[tokio::test]
async fn what_is_not_permitted_on_nats_is_said_before_anything_is_delivered() {
    let users = r#"authorization: { users: [
        { user: owner, password: pass },
        { user: limited, password: pass, permissions: {
            publish: {
                allow: ["$JS.API.>", "$JS.ACK.>", "$KV.>", "$SYS.REQ.USER.INFO", "dead-letter.>"]
                deny: ["$JS.API.CONSUMER.CREATE.>", "$JS.API.STREAM.CREATE.>"]
            }
            subscribe: { allow: ["_INBOX.>"] }
        } }
    ] }"#;
    let (server, gateway) = (Server::configured(users), Gateway::start().await);
    let client = async_nats::ConnectOptions::with_user_and_password("owner".into(), "pass".into());
    let client = client.connect(server.address()).await.unwrap();
    let look = openfaas_tests::nats::Look::through(client);
    for subject in ["orders", "payments", "dead-letter.>"] {
        look.stream(subject).await;
    }
    deploy(&gateway, "order", "orders", "payments");
    let address = server.address();
    let environment = [
        ("broker_host", &*address),
        ("gateway_url", &*gateway.url),
        ("nats_user", "limited"),
        ("nats_password", "pass"),
    ];
    let (code, output) = said(&["nats", "--check"], &environment).await;
    assert_eq!(code, Some(1), "{output}");
    let missing = lines(&output, "missing");
    let denied = [
        "$JS.API.CONSUMER.CREATE.orders.openfaas-fn_order_orders.orders",
        "$JS.API.STREAM.CREATE.KV_openfaas",
        "payments",
    ];
    assert_eq!(missing.len(), denied.len(), "{output}");
    for (missing, denied) in missing.iter().zip(denied) {
        let sentence = format!("may not publish to `{denied}`");
        assert!(missing.contains(&sentence), "{output}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_said() {
    let environment = [
        ("broker_host", "127.0.0.1:9"),
        ("gateway_url", "http://127.0.0.1:9"),
    ];
    let (code, output) = said(&["nats", "--check"], &environment).await;
    assert_eq!(code, Some(1), "{output}");
    let missing = lines(&output, "missing");
    assert!(
        missing[0].starts_with("the functions cannot be listed"),
        "{output}"
    );
    assert!(
        missing[1].starts_with("the broker does not answer"),
        "{output}"
    );
}

#[tokio::test]
async fn what_is_missing_on_kafka_is_said_and_made_where_that_is_asked_for() {
    let (server, gateway) = (kafka::Server::shared(), Gateway::start().await);
    server.create("checked", 1, &[]).await;
    deploy(&gateway, "checking", "checked", "checked-replies");
    let hosts = server.hosts();
    let environment = [("broker_hosts", &*hosts), ("gateway_url", &*gateway.url)];
    let (code, output) = said(&["kafka", "--check"], &environment).await;
    assert_eq!(code, Some(1), "{output}");
    let missing = lines(&output, "missing");
    assert_eq!(missing.len(), 2, "{output}");
    assert!(
        missing[0].contains("--create --topic checked-replies"),
        "{output}"
    );
    let (code, output) = said(&["kafka", "--create"], &environment).await;
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(lines(&output, "made").len(), 2, "{output}");
    assert_eq!(server.partitions("checked-replies").len(), 6);
    let (code, output) = said(&["kafka", "--check"], &environment).await;
    assert_eq!(code, Some(0), "{output}");
}

#[tokio::test]
async fn transactions_over_nats_are_said_to_be_none() {
    let (server, gateway) = (Server::start(), Gateway::start().await);
    let look = server.look().await;
    look.stream("orders").await;
    look.stream("dead-letter.openfaas-fn.order").await;
    let annotations = [("topic", "orders"), ("events.transactions", "true")];
    gateway.deploy("order", &annotations);
    let address = server.address();
    let environment = [("broker_host", &*address), ("gateway_url", &*gateway.url)];
    let (code, output) = said(&["nats", "--check"], &environment).await;
    assert_eq!(code, Some(1), "{output}");
    let missing = lines(&output, "missing");
    assert_eq!(missing.len(), 1, "{output}");
    assert!(missing[0].contains("what only Kafka can do"), "{output}");
}
