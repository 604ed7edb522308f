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
use tokio_rustls::rustls::server::WebPkiClientVerifier;
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

/// Settings for connections that others open; with a `ca`, only those whose certificate it vouches for.
///
/// # Errors
/// As [`client`].
pub(crate) fn server(
    identity: &TlsIdentity,
    ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsFault> {
    let (chain, key) = pair(identity)?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::of(&error))?;
    let builder = match ca {
        Some(path) => {
            let (roots, _) = roots(path)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier
                .build()
                .map_err(|error| TlsFault::file(path, error))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain, key);
    Ok(Arc::new(config.map_err(|error| TlsFault::of(&error))?))
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

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn authority() -> Authority {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        Authority { issuer, pem }
    }

    impl Authority {
        /// Files of a pair for `name`.
        fn pair(&self, folder: &Path, name: &str) -> TlsIdentity {
            let key = KeyPair::generate().unwrap();
            let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
            let identity = TlsIdentity {
                certificate_file: folder.join(format!("{name}.pem")),
                key_file: folder.join(format!("{name}.key")),
            };
            std::fs::write(&identity.certificate_file, certificate.pem()).unwrap();
            std::fs::write(&identity.key_file, key.serialize_pem()).unwrap();
            identity
        }
    }

    /// Whether a word of a client with this identity gets to the server.
    async fn is_heard(
        server: Arc<ServerConfig>,
        trusted: &Path,
        identity: Option<&TlsIdentity>,
    ) -> bool {
        let (near, far) = tokio::io::duplex(65_536);
        let (roots, _) = roots(trusted).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some(identity) => {
                let (chain, key) = pair(identity).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let speak = async {
            let name = ServerName::try_from("box.test").unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            if let Ok(mut stream) = connector.connect(name, near).await {
                let _ = stream.write_all(b"word").await;
                let _ = stream.flush().await;
                let _ = stream.read(&mut [0; 8]).await;
            }
        };
        let hear = async {
            let Ok(mut stream) = TlsAcceptor::from(server).accept(far).await else {
                return false;
            };
            let mut word = [0; 4];
            stream
                .read_exact(&mut word)
                .await
                .is_ok_and(|_| word == *b"word")
        };
        tokio::select! {
            heard = hear => heard,
            () = async { speak.await; std::future::pending().await } => false,
        }
    }

    #[tokio::test]
    async fn who_connects_must_be_vouched_for_where_that_is_wanted() {
        let folder = std::env::temp_dir().join(format!("trubka-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (ours, other) = (authority(), authority());
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, &ours.pem).unwrap();
        let own = ours.pair(&folder, "box.test");
        let (pbx, stranger) = (
            ours.pair(&folder, "pbx.test"),
            other.pair(&folder, "stranger"),
        );
        let strict = server(&own, Some(&ca)).unwrap();
        assert!(is_heard(strict.clone(), &ca, Some(&pbx)).await);
        assert!(!is_heard(strict.clone(), &ca, Some(&stranger)).await);
        assert!(!is_heard(strict, &ca, None).await);
        let open = server(&own, None).unwrap();
        assert!(is_heard(open, &ca, None).await);
        std::fs::write(&ca, "nothing").unwrap();
        let fault = server(&own, Some(&ca)).unwrap_err();
        assert_eq!(fault.kind, "unreadable_file");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
