//! TLS settings of the accounts and of our listener: which certificates are trusted, and ours.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use config::TlsIdentity;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::certificate::not_after;
use super::fault::TlsFault;

/// What a connection to an account's PBX is opened with.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) config: Arc<ClientConfig>,
    /// The name that the PBX's certificate has to carry.
    pub(crate) name: ServerName<'static>,
}

/// Certificates and key of a PEM pair.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsFault::file(path, error))?;
    if read.is_empty() {
        return Err(TlsFault::file(path, "holds no certificate"));
    }
    Ok(read)
}

fn pair(identity: &TlsIdentity) -> Result<Pair, TlsFault> {
    let chain = certificates(&identity.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key_file)
        .map_err(|error| TlsFault::file(&identity.key_file, error))?;
    Ok((chain, key))
}

/// When our own certificate ends.
pub(crate) fn own_end(identity: &TlsIdentity) -> Option<SystemTime> {
    not_after(certificates(&identity.certificate_file).ok()?.first()?)
}

/// Settings for connections to an account's PBX.
///
/// # Errors
/// A file that cannot be used, a key that does not belong to its certificate, or a bad name.
pub(crate) fn client(account: &config::Account) -> Result<Client, TlsFault> {
    let provider = Arc::new(ring::default_provider());
    let (roots, pinned) = match &account.tls_ca_file {
        Some(path) => roots(path)?,
        None => (system_roots(), Vec::new()),
    };
    let verifier = Arc::new(Verifier::new(roots, pinned, provider.clone()));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::of(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &account.tls_identity {
        Some(identity) => {
            let (chain, key) = pair(identity)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| TlsFault::of(&error))?
        }
        None => builder.with_no_client_auth(),
    };
    let name = account.tls_server_name.trim_end_matches('.').to_owned();
    let name = ServerName::try_from(name).map_err(|_| TlsFault {
        kind: "wrong_name",
        detail: format!("\"{}\" cannot be in a certificate", account.tls_server_name),
        hint: "set tls_server_name to the PBX's host name or address",
    })?;
    Ok(Client {
        config: Arc::new(config),
        name,
    })
}

/// Settings for connections that others open.
///
/// # Errors
/// As [`client`].
pub(crate) fn server(identity: &TlsIdentity) -> Result<Arc<ServerConfig>, TlsFault> {
    let (chain, key) = pair(identity)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| TlsFault::of(&error))?;
    Ok(Arc::new(config))
}

fn roots(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsFault> {
    let named = certificates(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in &named {
        // One that cannot vouch for others may still be the PBX's own.
        let _ = roots.add(certificate.clone());
    }
    Ok((roots, named))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The usual check, and besides: a certificate that is named itself is trusted while it is valid,
/// which is how a self-signed PBX is taken.
#[derive(Debug)]
struct Verifier {
    /// None with an empty store: then nobody is vouched for.
    usual: Option<Arc<WebPkiServerVerifier>>,
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        roots: RootCertStore,
        pinned: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Verifier {
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        Verifier {
            usual: usual.build().ok(),
            pinned,
            provider,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            let end = not_after(end_entity)
                .and_then(|end| end.duration_since(SystemTime::UNIX_EPOCH).ok());
            return match end {
                Some(end) if end.as_secs() >= now.as_secs() => Ok(ServerCertVerified::assertion()),
                _ => Err(CertificateError::Expired.into()),
            };
        }
        match &self.usual {
            Some(usual) => {
                usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
