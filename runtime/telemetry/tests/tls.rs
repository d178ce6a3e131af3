//! Export to a collector behind `https://`: a real handshake, with one that is trusted and one that is not.
#![cfg(feature = "tls")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openfaas_telemetry::logs::{LogConfig, Logs};
use openfaas_telemetry::{Config, Kind, Telemetry, receiver};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const LONG: Duration = Duration::from_secs(10);

/// A collector at `localhost`, with a certificate that an authority of its own has signed.
struct Collector {
    port: u16,
    /// The authority's certificate, in PEM.
    authority: String,
    /// The bodies that came.
    posted: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Collector {
    async fn new() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = names.signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (channel, posted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever does not trust it ends the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let length = head.split_once("content-length: ").unwrap().1;
                let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
                stream.read_exact(&mut body).await.unwrap();
                channel.send(body).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self {
            port,
            authority: pem,
            posted,
        }
    }

    /// Telemetry that sends its spans here, and trusts this authority.
    fn telemetry(&self, authority: &str) -> Telemetry {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority).unwrap();
        let lookup = |key: &str| match key {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" => {
                Some(format!("https://localhost:{}/v1/traces", self.port))
            }
            "OTEL_EXPORTER_OTLP_CERTIFICATE" => file.path().to_str().map(str::to_owned),
            _ => None,
        };
        Telemetry::start(Config::from_lookup(lookup, "order").unwrap())
    }
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn spans_go_to_a_collector_whose_authority_is_named() {
    let mut collector = Collector::new().await;
    let telemetry = collector.telemetry(&collector.authority);
    telemetry.span(Kind::Internal, "placed", None).end();
    telemetry.shutdown(LONG).await;
    let posted = tokio::time::timeout(LONG, collector.posted.recv()).await;
    let spans = receiver::decode(&posted.unwrap().unwrap()).unwrap();
    assert_eq!(spans[0].name, "placed");
    assert_eq!(
        (telemetry.exported_spans(), telemetry.failed_spans()),
        (1, 0)
    );
}

#[tokio::test]
async fn spans_for_a_collector_that_is_not_trusted_are_lost_with_a_line_in_the_log() {
    let lines = Lines::default();
    let logs = Logs::to(LogConfig::default(), lines.clone());
    // The exporter has a thread of its own.
    tracing::dispatcher::set_global_default(logs.subscriber(LogConfig::default())).unwrap();
    let mut collector = Collector::new().await;
    let another = Collector::new().await.authority;
    let telemetry = collector.telemetry(&another);
    telemetry.span(Kind::Internal, "placed", None).end();
    telemetry.shutdown(LONG).await;
    assert_eq!(
        (telemetry.exported_spans(), telemetry.failed_spans()),
        (0, 1)
    );
    assert!(collector.posted.try_recv().is_err());
    assert!(logs.flush(LONG));
    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let endpoint = format!("https://localhost:{}/v1/traces", collector.port);
    let line = format!(
        "spans are lost until this ends: {endpoint} cannot be reached: invalid peer certificate: "
    );
    assert_eq!(lines.matches(&line).count(), 1, "{lines}");
}
