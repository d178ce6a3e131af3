//! The keys of a cluster.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

/// Writes an authority (`ca.crt`), the certificate that KEDA's parts know each other by (`tls.crt`, `tls.key`), the one by which
/// the API server calls KEDA (`proxy.crt`, `proxy.key`), and the key that signs service accounts (`accounts.key`, `accounts.pub`).
pub(crate) fn write(folder: &Path) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let save = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    save("ca.crt", authority.pem());
    for (name, common_name) in [("tls", "keda-operator"), ("proxy", "front-proxy")] {
        let names = ["localhost", "keda-operator"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, common_name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        save(
            &format!("{name}.crt"),
            params.signed_by(&key, &authority).unwrap().pem(),
        );
        save(&format!("{name}.key"), key.serialize_pem());
    }
    let key = KeyPair::generate().unwrap();
    save("accounts.key", key.serialize_pem());
    save("accounts.pub", key.public_key_pem());
}
