//! With TLS, for those who have to go through `https://`.

use std::{fmt, sync::Arc};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// What makes connections.
pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// The certificates that a gateway behind `https://` may be signed by.
#[derive(Clone)]
pub(crate) struct Roots(Arc<RootCertStore>);

// === impl Roots ===

impl Roots {
    /// Those in a PEM file; `None` where it cannot be read, or none is in it.
    pub(crate) fn read(path: &str) -> Option<Roots> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).ok()? {
            roots.add(certificate.ok()?).ok()?;
        }
        (!roots.is_empty()).then(|| Roots(Arc::new(roots)))
    }

    pub(in crate::gateway) fn connector(&self) -> Connector {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks the default versions")
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        let mut tcp = super::tcp();
        // Which of the two schemes it is, is looked at one layer further out.
        tcp.enforce_http(false);
        HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp)
    }
}

impl Default for Roots {
    /// Those that browsers trust.
    fn default() -> Roots {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Roots(Arc::new(roots.collect()))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Roots").field(&self.0.len()).finish()
    }
}
