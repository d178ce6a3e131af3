//! Certificates for collectors behind `https://`.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::ConfigError;
use super::env::Env;
use super::export::Signal;

/// What a TLS connection to one endpoint is made with.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server: ServerName<'static>,
}

impl Client {
    /// `None` for an endpoint without TLS. Certificates are read here, so that a wrong one is told at start.
    pub(super) fn from_env(
        env: &Env<'_>,
        signal: Signal,
        endpoint: &Uri,
    ) -> Result<Option<Self>, ConfigError> {
        if endpoint.scheme_str() != Some("https") {
            return Ok(None);
        }
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots(env, signal)?);
        let key = signal.key(env, "CERTIFICATE");
        let unusable = |error: &dyn fmt::Display| ConfigError::new(&key, "", error.to_string());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_webpki_verifier(verifier);
        let config = match identity(env, signal)? {
            None => builder.with_no_client_auth(),
            Some((chain, private_key)) => builder
                .with_client_auth_cert(chain, private_key)
                .map_err(|error| wrong(env, signal, "CLIENT_KEY", &error))?,
        };
        let host = endpoint.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let server =
            ServerName::try_from(host).map_err(|error| wrong(env, signal, "ENDPOINT", &error))?;
        let config = Arc::new(config);
        Ok(Some(Self { config, server }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The certificates that are named, or those that browsers trust.
fn roots(env: &Env<'_>, signal: Signal) -> Result<RootCertStore, ConfigError> {
    let Some(pem) = file(env, signal, "CERTIFICATE")? else {
        return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(env, signal, "CERTIFICATE", &pem)? {
        roots
            .add(certificate)
            .map_err(|error| wrong(env, signal, "CERTIFICATE", &error))?;
    }
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity(env: &Env<'_>, signal: Signal) -> Result<Option<Identity>, ConfigError> {
    let chain = file(env, signal, "CLIENT_CERTIFICATE")?;
    let key = file(env, signal, "CLIENT_KEY")?;
    match (chain, key) {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => {
            let chain = certificates(env, signal, "CLIENT_CERTIFICATE", &chain)?;
            let key = PrivateKeyDer::from_pem_slice(&key)
                .map_err(|error| wrong(env, signal, "CLIENT_KEY", &error))?;
            Ok(Some((chain, key)))
        }
        (Some(_), None) => Err(wrong(
            env,
            signal,
            "CLIENT_CERTIFICATE",
            &"the CLIENT_KEY is missing",
        )),
        (None, Some(_)) => Err(wrong(
            env,
            signal,
            "CLIENT_KEY",
            &"the CLIENT_CERTIFICATE is missing",
        )),
    }
}

fn certificates(
    env: &Env<'_>,
    signal: Signal,
    what: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(wrong(env, signal, what, &"no certificate is in it")),
        Err(error) => Err(wrong(env, signal, what, &error)),
    }
}

fn file(env: &Env<'_>, signal: Signal, what: &str) -> Result<Option<Vec<u8>>, ConfigError> {
    let path = env.text(&signal.key(env, what));
    let read = path.map(std::fs::read).transpose();
    read.map_err(|error| wrong(env, signal, what, &error))
}

fn wrong(env: &Env<'_>, signal: Signal, what: &str, error: &dyn fmt::Display) -> ConfigError {
    let key = signal.key(env, what);
    let value = env.text(&key).unwrap_or_default();
    ConfigError::new(
        &key,
        &value,
        format!("use a PEM file that can be read: {error}"),
    )
}
