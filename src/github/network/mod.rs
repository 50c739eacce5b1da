//! The way to GitHub: whose certificates are believed, and through which proxy it goes.

mod proxies;
mod route;

use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Error;
use route::Route;

pub use proxies::Proxies;

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// The way to GitHub. The default is the direct one, to a certificate of a public authority.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub authorities: Authorities,
    pub proxies: Proxies,
}

/// Certificate authorities that are believed beside the public ones.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Arc<[CertificateDer<'static>]>);

impl Authorities {
    /// Reads a bundle in PEM form: one certificate or more.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let bad = |problem: String| Error::BadCertificates { problem };
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let all = read.map_err(|error| bad(error.to_string()))?;
        if all.is_empty() {
            return Err(bad("it holds no certificate".to_owned()));
        }
        let authorities = Self(all.into());
        authorities.roots()?;
        Ok(authorities)
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in self.0.iter() {
            roots
                .add(certificate.clone())
                .map_err(|error| Error::BadCertificates { problem: error.to_string() })?;
        }
        Ok(roots)
    }
}

impl Network {
    /// What makes connections, with limits on how long that takes.
    pub(super) fn connector(&self) -> Result<HttpsConnector<Route>, Error> {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_connect_timeout(Some(CONNECT));
        let tls = self.tls()?;
        let to_proxy = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(direct.clone());
        let route = Route::new(self.proxies.clone(), direct, to_proxy);
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(route))
    }

    fn tls(&self) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Client(error.to_string()))?;
        Ok(config.with_root_certificates(self.authorities.roots()?).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_holds_one_certificate_or_more() {
        let ca = include_str!("../../../tests/keys/ca.pem");
        let server = include_str!("../../../tests/keys/server.pem");
        let of = |pem: &str| Authorities::from_pem(pem.as_bytes());
        assert_eq!(of(ca).unwrap().0.len(), 1);
        assert_eq!(of(&format!("about it\n{ca}\n{server}")).unwrap().0.len(), 2);
        for bad in ["", "no certificate", &ca.replace('M', "!"), &ca[..200]] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
