//! Ways to say who we are, against servers that want to know.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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

/// A JWT as NATS writes them: signed by one key, about another.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: serde_json::Value) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let claims = serde_json::json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": name, "nats": nats,
    });
    let text = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let signature = encode(&issuer.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

#[tokio::test]
async fn a_jwt_with_its_seed_and_a_creds_file() {
    let [operator, system, account, user] = [
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_account(),
        KeyPair::new_user(),
    ];
    let any = -1;
    let limits = serde_json::json!({
        "subs": any, "data": any, "payload": any, "imports": any, "exports": any, "wildcards": true,
        "conn": any, "leaf": any, "mem_storage": any, "disk_storage": any, "streams": any, "consumer": any,
    });
    let claims = |kind: &str| serde_json::json!({ "type": kind, "version": 2 });
    let mut of_account = claims("account");
    of_account["limits"] = limits;
    let mut of_user = claims("user");
    for limit in ["subs", "data", "payload"] {
        of_user[limit] = any.into();
    }
    let operator_jwt = jwt(&operator, &operator, "operator", claims("operator"));
    let system_jwt = jwt(&operator, &system, "system", claims("account"));
    let account_jwt = jwt(&operator, &account, "account", of_account);
    let user_jwt = jwt(&account, &user, "user", of_user);
    let server = Server::configured(&format!(
        "operator: {operator_jwt}\nsystem_account: {system}\nresolver: MEMORY\n\
         resolver_preload: {{ {system}: {system_jwt}, {account}: {account_jwt} }}",
        system = system.public_key(),
        account = account.public_key(),
    ));
    let seed = user.seed().unwrap();
    assert!(lets_in(&server, &[("nats_jwt", &user_jwt), ("nats_nkey", &seed)]).await);
    let other = KeyPair::new_user().seed().unwrap();
    assert!(!lets_in(&server, &[("nats_jwt", &user_jwt), ("nats_nkey", &other)]).await);

    let folder = tempfile::tempdir().unwrap();
    let creds = folder.path().join("user.creds");
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    );
    std::fs::write(&creds, text).unwrap();
    assert!(lets_in(&server, &[("nats_creds_file", creds.to_str().unwrap())]).await);
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
