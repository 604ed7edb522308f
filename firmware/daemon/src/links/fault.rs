//! Why a TLS connection did not come about, as a kind, a cause and a hint.

use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InconsistentKeys};

/// Why TLS failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFault {
    /// Stable name.
    pub(crate) kind: &'static str,
    /// Cause in words.
    pub(crate) detail: String,
    /// What to do.
    pub(crate) hint: &'static str,
}

impl TlsFault {
    /// A file of ours that cannot be used.
    pub(crate) fn file(path: &std::path::Path, cause: impl std::fmt::Display) -> TlsFault {
        TlsFault {
            kind: "unreadable_file",
            detail: format!("{}: {cause}", path.display()),
            hint: "the file has to hold PEM blocks: -----BEGIN CERTIFICATE----- or PRIVATE KEY",
        }
    }

    /// What the library says.
    pub(crate) fn of(error: &Error) -> TlsFault {
        let (kind, hint) = match error {
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => (
                "key_mismatch",
                "tls_key_file does not belong to tls_certificate_file: name the pair that was made together",
            ),
            Error::AlertReceived(alert) => of_alert(*alert),
            Error::PeerIncompatible(_) => (
                "protocol",
                "the PBX offers neither TLS 1.2 nor 1.3, or no common cipher: update its TLS settings",
            ),
            Error::InvalidMessage(_) => (
                "protocol",
                "what answers there does not speak TLS: check the port (5061 is usual) and the transport",
            ),
            _ => ("protocol", "see the PBX's log for this connection"),
        };
        TlsFault {
            kind,
            detail: error.to_string(),
            hint,
        }
    }

    /// The fault inside an error of a connection, if TLS is to blame.
    pub(crate) fn within(error: &io::Error) -> Option<TlsFault> {
        let inner = error.get_ref()?.downcast_ref::<Error>()?;
        Some(TlsFault::of(inner))
    }
}

fn of_certificate(error: &CertificateError) -> (&'static str, &'static str) {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => (
            "untrusted",
            "set the account's tls_ca_file to the PEM file of the CA that signed the PBX's certificate, or to that certificate itself if it is self-signed",
        ),
        E::NotValidForName | E::NotValidForNameContext { .. } => (
            "wrong_name",
            "set the account's tls_server_name to a name that the certificate carries, or use that name as the domain",
        ),
        E::Expired | E::ExpiredContext { .. } => (
            "expired",
            "renew the certificate on the PBX; if it is good, check the clock of this box",
        ),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            ("not_yet_valid", "check the clock of this box (date)")
        }
        E::Revoked => ("revoked", "give the PBX a new certificate"),
        // webpki says so of a self-signed certificate that is marked as a CA.
        E::Other(_) => (
            "untrusted",
            "set the account's tls_ca_file to the PEM file of the PBX's certificate, or of the CA that signed it",
        ),
        _ => (
            "bad_certificate",
            "the PBX's certificate is damaged or of a kind that TLS does not take: make a new one",
        ),
    }
}

fn of_alert(alert: AlertDescription) -> (&'static str, &'static str) {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => (
            "client_certificate",
            "the PBX wants a client certificate: set tls_certificate_file and tls_key_file",
        ),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => (
            "client_certificate",
            "the PBX does not accept our certificate: it must trust the CA that signed tls_certificate_file",
        ),
        A::UnrecognisedName => (
            "wrong_name",
            "the PBX has no certificate for this name: check domain and tls_server_name",
        ),
        _ => (
            "protocol",
            "the PBX ended the handshake: it wants another TLS version or cipher; see its log",
        ),
    }
}
