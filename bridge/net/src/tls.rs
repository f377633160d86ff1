//! TLS: the system's roots and the operator's, by name, nothing else.

use crate::error::{Error, Outcome};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};

pub(crate) struct Trust {
    extra_pem: Vec<Vec<u8>>,
    system: bool,
    config: OnceLock<Outcome<Arc<ClientConfig>>>,
}

impl Trust {
    pub fn new(extra_pem: Vec<Vec<u8>>, system: bool) -> Trust {
        Trust { extra_pem, system, config: OnceLock::new() }
    }

    /// One for each owner of a client: sessions are not resumed across them. Reading the roots takes milliseconds, so
    /// it waits for the first need.
    pub fn config(&self) -> Outcome<Arc<ClientConfig>> {
        self.config.get_or_init(|| self.make()).clone()
    }

    fn make(&self) -> Outcome<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        if self.system {
            // SSL_CERT_FILE and SSL_CERT_DIR are the operator's word on where the system keeps its roots.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        for pem in &self.extra_pem {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate =
                    certificate.map_err(|e| Error::Tls(format!("an extra root is not a PEM certificate: {e}")))?;
                roots.add(certificate).map_err(|e| Error::Tls(format!("an extra root cannot be used: {e}")))?;
            }
        }
        if roots.is_empty() {
            return Err(Error::Tls("there are no root certificates on this machine".into()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Tls(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// An error of the handshake, which comes wrapped in one of input and output.
pub(crate) fn handshake_error(error: std::io::Error) -> Error {
    let Some(inner) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
        return Error::Tls(error.to_string());
    };
    match inner {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::Certificate,
        other => Error::Tls(other.to_string()),
    }
}
