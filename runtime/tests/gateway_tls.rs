//! Calls through a gateway behind `https://`: a real handshake with a server that has a certificate of its own making.
#![cfg(feature = "tls")]

use std::{error::Error, sync::Arc};

use openfaas_runtime::{Config, Function, Gateway, testing};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// A gateway that answers one call per connection, for `localhost`. Its port, and its certificate in PEM.
async fn gateway() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A caller that does not trust it ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let line = head.lines().next().unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{line}",
                line.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (port, made.cert.pem())
}

fn config(port: u16, certificates: Option<&str>) -> Config {
    let lookup = |key: &str| match key {
        "gateway_url" => Some(format!("https://localhost:{port}")),
        "SSL_CERT_FILE" => certificates.map(str::to_owned),
        _ => None,
    };
    Config::from_lookup(lookup).unwrap()
}

/// What a call says, or all that its error says.
async fn call(gateway: Gateway) -> String {
    match gateway.call("price").send().await {
        Ok(reply) => reply.text(),
        Err(error) => {
            let mut said = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                said.push_str(&format!(": {inner}"));
                cause = inner.source();
            }
            said
        }
    }
}

#[tokio::test]
async fn a_gateway_behind_https_is_called_if_its_certificate_is_trusted() {
    let (port, certificate) = gateway().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let trusting = config(port, file.to_str());
    let running = testing::start(Function::http(call).config(trusting)).await;
    assert_eq!(
        running.get("/").await.text(),
        "POST /function/price HTTP/1.1"
    );

    let (_, another) = gateway().await;
    std::fs::write(&file, another).unwrap();
    for certificates in [file.to_str(), None] {
        let doubting = config(port, certificates);
        let running = testing::start(Function::http(call).config(doubting)).await;
        let said = running.get("/").await.text();
        assert!(
            said.starts_with(&format!(
                "cannot reach price through https://localhost:{port}/: "
            )) && said.contains("invalid peer certificate: "),
            "{said}"
        );
    }
}
