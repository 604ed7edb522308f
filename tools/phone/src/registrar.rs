//! The registrar half: one account, digest challenge, one contact.

use std::net::SocketAddr;

use sip::digest::{self, Algorithm, Expected, Verdict};
use sip::message::{Message, NameAddr};

use crate::{PhoneConfig, PhoneEvent};

/// Registers one extension.
#[derive(Debug)]
pub struct Registrar {
    user: String,
    password: String,
    realm: String,
    nonce: String,
    algorithms: Vec<Algorithm>,
    contact: Option<SocketAddr>,
}

impl Registrar {
    pub(crate) fn new(config: &PhoneConfig) -> Registrar {
        let nonce = config
            .seed
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Registrar {
            user: config.gateway.clone(),
            password: config.password.clone(),
            realm: "demo".into(),
            nonce,
            algorithms: config.algorithms.clone(),
            contact: None,
        }
    }

    /// Where the gateway is, once registered.
    pub fn contact(&self) -> Option<SocketAddr> {
        self.contact
    }

    /// Forgets the registration, as a PBX that was started anew without a store would.
    pub fn forget(&mut self) {
        self.contact = None;
    }

    /// Answers a REGISTER.
    pub(crate) fn answer(
        &mut self,
        request: &Message,
        source: SocketAddr,
    ) -> (Vec<u8>, Option<PhoneEvent>) {
        let expected = Expected {
            username: &self.user,
            password: &self.password,
            realm: &self.realm,
            nonce: &self.nonce,
            algorithms: &self.algorithms,
            allow_without_qop: true,
        };
        let verdict = digest::verify(request, "Authorization", &expected);
        match verdict {
            Verdict::Accepted { .. } => self.accept(request, source),
            Verdict::Wrong => (
                Message::response_to(request, 403, Some("pbx")).to_bytes(),
                Some(PhoneEvent::RegistrationRefused),
            ),
            Verdict::Missing | Verdict::OtherNonce => {
                let mut response = Message::response_to(request, 401, Some("pbx"));
                for algorithm in &self.algorithms {
                    let challenge = format!(
                        "Digest realm=\"{}\", nonce=\"{}\", algorithm={}, qop=\"auth\"",
                        self.realm,
                        self.nonce,
                        algorithm.token()
                    );
                    response.headers.push("WWW-Authenticate", challenge);
                }
                (response.to_bytes(), None)
            }
        }
    }

    fn accept(&mut self, request: &Message, source: SocketAddr) -> (Vec<u8>, Option<PhoneEvent>) {
        let contact = request.headers.get("Contact").unwrap_or("").to_owned();
        let expires = request
            .headers
            .get("Expires")
            .and_then(|text| text.trim().parse::<u32>().ok());
        let in_contact = NameAddr::parse(&contact).and_then(|contact| {
            contact
                .params
                .get("expires")
                .and_then(|text| text.parse().ok())
        });
        let expires = in_contact.or(expires).unwrap_or(300).min(600);
        let mut response = Message::response_to(request, 200, Some("pbx"));
        let used = request.headers.get("Authorization").unwrap_or("");
        let algorithm = if used.contains("SHA-256") {
            Algorithm::Sha256
        } else {
            Algorithm::Md5
        };
        if expires == 0 {
            let was = self.contact.take();
            return (response.to_bytes(), was.map(|_| PhoneEvent::Unregistered));
        }
        let bare = contact.split(';').next().unwrap_or("").to_owned();
        response
            .headers
            .push("Contact", format!("{bare};expires={expires}"));
        let first = self.contact.replace(source).is_none();
        (
            response.to_bytes(),
            first.then_some(PhoneEvent::Registered { algorithm }),
        )
    }
}
