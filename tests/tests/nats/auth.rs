//! Ways to say who we are, against servers that want to know.

use std::collections::BTreeMap;
use std::path::Path;

use nkeys::KeyPair;
use openfaas_delivery::broker::{Broker, OpenError, Purpose};
use openfaas_delivery::nats::{Config, Nats};
use openfaas_tests::nats::Server;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa,
    KeyPair as Key,
};

use crate::support::until;

/// What a server without streams says to somebody it lets in.
async fn lets_in(server: &Server, settings: &[(&str, &str)]) -> bool {
    let mut settings = BTreeMap::from_iter(settings.iter().copied());
    let address = server.address();
    settings.insert("broker_host", &address);
    let config = Config::from_lookup(|key| settings.get(key).map(ToString::to_string)).unwrap();
    let broker = Nats::connect(&config).await.unwrap();
    let mut said = None;
    until(async || {
        said = Some(broker.check(&"orders".into(), Purpose::Reply).await);
        // Refused, or not connected yet: the reason is there when the server has given one.
        !matches!(&said, Some(Err(OpenError::Unavailable(reason))) if !reason.contains('('))
    })
    .await;
    match said {
        Some(Err(OpenError::NotReady(sentence))) => {
            assert!(
                sentence.starts_with("no stream stores orders"),
                "{sentence}"
            );
            true
        }
        Some(Err(OpenError::Unavailable(_))) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn user_and_password() {
    let server = Server::configured("authorization: { user: ada, password: secret }");
    assert!(
        lets_in(
            &server,
            &[("nats_user", "ada"), ("nats_password", "secret")]
        )
        .await
    );
    assert!(!lets_in(&server, &[("nats_user", "ada"), ("nats_password", "guess")]).await);
    assert!(!lets_in(&server, &[]).await);
}

#[tokio::test]
async fn a_token_from_a_secret() {
    let server = Server::configured("authorization: { token: s3cr3t }");
    let secrets = tempfile::tempdir().unwrap();
    std::fs::write(secrets.path().join("nats-token"), "s3cr3t\n").unwrap();
    let mount = secrets.path().to_str().unwrap();
    assert!(lets_in(&server, &[("secret_mount_path", mount)]).await);
    assert!(!lets_in(&server, &[("nats_token", "guess")]).await);
}

#[tokio::test]
async fn an_nkey() {
    let (ada, eve) = (KeyPair::new_user(), KeyPair::new_user());
    let server = Server::configured(&format!(
        "authorization: {{ users: [ {{ nkey: {} }} ] }}",
        ada.public_key()
    ));
    assert!(lets_in(&server, &[("nats_nkey", &ada.seed().unwrap())]).await);
    assert!(!lets_in(&server, &[("nats_nkey", &eve.seed().unwrap())]).await);
}

/// A folder with an authority (`ca.pem`), and certificates that it has signed.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, Key::generate().unwrap()).unwrap();
    write("ca.pem", authority.pem());
    for (name, purpose) in [
        ("server", ExtendedKeyUsagePurpose::ServerAuth),
        ("client", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let key = Key::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![purpose];
        let signed = params.signed_by(&key, &authority).unwrap();
        write(&format!("{name}.pem"), signed.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    folder
}

fn tls(folder: &Path, more: &str) -> String {
    let at = folder.display();
    format!("tls: {{ cert_file: \"{at}/server.pem\", key_file: \"{at}/server.key\", {more} }}")
}

#[tokio::test]
async fn tls_by_an_authority_of_ones_own() {
    let folder = certificates();
    let server = Server::configured(&tls(folder.path(), ""));
    let ca = folder.path().join("ca.pem");
    let ca = ca.to_str().unwrap();
    assert!(lets_in(&server, &[("nats_ca_file", ca)]).await);
    assert!(
        !lets_in(&server, &[("nats_tls", "true")]).await,
        "nobody knows that authority"
    );
    let first = Server::configured(&tls(folder.path(), "handshake_first: true"));
    assert!(lets_in(&first, &[("nats_ca_file", ca), ("nats_tls_first", "true")]).await);
}

#[tokio::test]
async fn tls_on_both_sides() {
    let folder = certificates();
    let ca = folder.path().join("ca.pem");
    let verify = format!("ca_file: \"{}\", verify: true", ca.display());
    let server = Server::configured(&tls(folder.path(), &verify));
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"]
        .map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let own = [
        ("nats_ca_file", ca.as_str()),
        ("nats_cert_file", &cert),
        ("nats_key_file", &key),
    ];
    assert!(lets_in(&server, &own).await);
    assert!(!lets_in(&server, &own[..1]).await);
}
