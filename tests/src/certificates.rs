//! Certificates made by the test itself: a CA, a PBX, and the ways in which they are wrong.

use crate::Failure;
use crate::asterisk::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::fmt::Display;

/// A CA of the test's own.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// How long a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The end of 2090.
    Far,
    /// The end of 2019.
    Past,
    /// This many days from now.
    Days(u64),
}

fn failed(error: impl Display) -> Failure {
    Failure::new(format!("certificate: {error}"))
}

fn parameters(name: &str, until: Until) -> Result<CertificateParams, Failure> {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2015, 1, 1);
    parameters.not_after = match until {
        Until::Far => date_time_ymd(2090, 12, 31),
        Until::Past => date_time_ymd(2019, 12, 31),
        Until::Days(days) => {
            let end = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 86_400);
            end.into()
        }
    };
    Ok(parameters)
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn new() -> Result<Self, Failure> {
        let mut parameters = parameters("Test CA", Until::Far)?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        let pem = parameters.self_signed(&key).map_err(failed)?.pem();
        Ok(Self {
            issuer: Issuer::new(parameters, key),
            pem,
        })
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a host name or address.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn issue(&self, name: &str, until: Until) -> Result<Pair, Failure> {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters(name, until)?.signed_by(&key, &self.issuer);
        Ok(Pair {
            certificate: certificate.map_err(failed)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// A certificate that vouches for itself, as many PBXs make one.
///
/// # Errors
/// When the library refuses.
pub fn self_signed(name: &str) -> Result<Pair, Failure> {
    let mut parameters = parameters(name, Until::Far)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

impl Pair {
    /// As Asterisk takes it.
    pub fn for_pbx(self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate,
            key: self.key,
            client_ca: None,
        }
    }
}
