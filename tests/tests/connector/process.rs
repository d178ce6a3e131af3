//! Its environment, its start and its end.

use openfaas_tests::connector::Connector;
use openfaas_tests::runner::until;
use rustix::process::Signal;

use crate::support::Scene;

#[tokio::test]
async fn a_value_that_cannot_be_used_is_one_sentence_and_exit_code_1() {
    let mut connector = Connector::spawn("nats", &[("rebuild_interval", "often")]);
    assert_eq!(connector.wait().await, Some(1));
    let said = async || Some(connector.output()).filter(|output| output.ends_with('\n'));
    assert_eq!(
        until("a sentence", said).await,
        "rebuild_interval=often is not right: it must be a time above nought, such as 30s\n"
    );
}

#[tokio::test]
async fn a_gateway_that_asks_for_a_password_gets_it_from_the_secrets() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.gateway.ask_for("Basic YWRtaW46czNjcmV0");
    let without = scene.connector(&[]).await;
    let said = async || {
        let (status, why) = without.get("/_/ready").await;
        (status == 503 && why.contains("asks for another user or password")).then_some(())
    };
    until("it says what is missing", said).await;
    drop(without);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("basic-auth-user"), "admin\n").unwrap();
    std::fs::write(folder.path().join("basic-auth-password"), "s3cret\n").unwrap();
    let path = folder.path().to_str().unwrap();
    let connector = scene
        .connector(&[("basic_auth", "true"), ("secret_mount_path", path)])
        .await;
    scene.publish("orders", "one").await;
    scene.gateway.until_called(1).await;
    assert!(!connector.output().contains("s3cret"));
}

#[tokio::test]
async fn a_sigterm_drains_and_another_connector_goes_on() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let mut connector = scene.connector(&[]).await;
    scene.publish("orders", "one").await;
    scene.gateway.until_called(1).await;
    connector.signal(Signal::TERM);
    assert_eq!(connector.wait().await, Some(0), "{}", connector.output());
    scene.publish("orders", "two").await;
    let _next = scene.connector(&[]).await;
    let calls = scene.gateway.until_called(2).await;
    assert_eq!(calls[1].body, "two");
    assert_eq!(calls.len(), 2, "what was settled does not come again");
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for() {
    let mut scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.server.kill();
    let connector = scene.connector(&[]).await;
    let said = async || {
        let (status, why) = connector.get("/_/ready").await;
        (status == 503 && why.contains("does not answer")).then_some(())
    };
    until("it is not ready", said).await;
    scene.server.restart();
    scene.publish("orders", "one").await;
    scene.gateway.until_called(1).await;
}
