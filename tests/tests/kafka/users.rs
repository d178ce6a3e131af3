//! Who may come in.

use openfaas_delivery::broker::{Broker, OpenError, Purpose};
use openfaas_delivery::kafka::{Kafka, Mechanism, Sasl, Settings, Tls};
use openfaas_tests::kafka::{PASSWORD, Server, USER};

use super::support::{settings, subscription, within};

fn user(server: &Server, mechanism: Mechanism, password: &str) -> Kafka {
    let mut settings = Settings {
        hosts: server.sasl_hosts(),
        ..settings(server)
    };
    settings.security.sasl = Some(Sasl {
        mechanism,
        user: USER.into(),
        password: password.into(),
    });
    Kafka::new(settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_with_a_password_or_a_proof_of_it() {
    let (server, topic) = (Server::shared(), "users");
    server.create(topic, 1, &[]).await;
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256] {
        let kafka = user(server, mechanism, PASSWORD);
        within(kafka.check(&topic.into(), Purpose::DeadLetter))
            .await
            .unwrap();
        within(kafka.open(&subscription(topic))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_not_known_is_told_so() {
    let server = Server::shared();
    let kafka = user(server, Mechanism::Plain, "wrong");
    let check = within(kafka.check(&"users".into(), Purpose::Reply)).await;
    let Err(OpenError::Unavailable(reason)) = check else {
        panic!("{check:?}");
    };
    assert!(reason.contains("uthentication failed"), "{reason}");
    assert!(!reason.contains("wrong"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_a_server_that_is_trusted_is_believed() {
    let (server, topic) = (Server::shared(), "tls");
    server.create(topic, 1, &[]).await;
    let over_tls = |ca| {
        let mut settings = Settings {
            hosts: server.tls_hosts(),
            ..settings(server)
        };
        settings.security.tls = Some(Tls { ca, identity: None });
        Kafka::new(settings)
    };
    let kafka = over_tls(Some(server.certificate()));
    within(kafka.check(&topic.into(), Purpose::DeadLetter))
        .await
        .unwrap();
    within(kafka.open(&subscription(topic))).await.unwrap();
    let check = within(over_tls(None).check(&topic.into(), Purpose::Reply)).await;
    let Err(OpenError::Unavailable(reason)) = check else {
        panic!("{check:?}");
    };
    assert!(reason.contains("certificate verify failed"), "{reason}");
}
