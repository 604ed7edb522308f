//! Between the media sessions and the controller.

use std::time::Duration;

use call::{Event, LegId};
use config::{MediaEncryption, SipTransport};
use media::{
    Codec, CryptoSuite, Encryption, InbandKeys, JitterConfig, MediaEvent, Session, SessionConfig,
};

use crate::Gateway;
use crate::leg::Leg;

impl Gateway {
    /// Remembers a leg under both its names.
    pub(crate) fn keep_leg(&mut self, id: LegId, leg: Leg) {
        self.calls.insert(leg.call, id);
        self.legs.insert(id, leg);
    }

    /// What an account says about encryption; calls that belong to none are in the clear.
    pub(crate) fn encryption_of(&self, account: Option<usize>) -> Encryption {
        let account = account.and_then(|account| self.config.accounts.get(account));
        match account.map(|account| account.media_encryption) {
            Some(MediaEncryption::Required) => Encryption::Required,
            Some(MediaEncryption::Optional) => Encryption::Optional,
            Some(MediaEncryption::Off) | None => Encryption::Off,
        }
    }

    /// How a call to a target is encrypted. Its keys travel in SIP, which a call past the account's servers carries in the clear.
    ///
    /// # Errors
    /// The account does not take a call without encryption.
    pub(crate) fn encryption_towards(
        &mut self,
        account: usize,
        target: &str,
    ) -> Result<Encryption, String> {
        let encryption = self.encryption_of(Some(account));
        let settings = self.config.accounts.get(account);
        let over_tls = settings.is_some_and(|settings| settings.transport == SipTransport::Tls);
        if encryption == Encryption::Off || !over_tls || !self.ua.goes_direct(account, target) {
            return Ok(encryption);
        }
        if encryption == Encryption::Optional {
            return Ok(Encryption::Off);
        }
        let why = "the keys of a direct call would travel in the clear";
        let hint = "name a number of the PBX, or give the route an account whose media_encryption is optional or off";
        self.encryption_refused(Some(account), target, why, hint);
        Err(why.to_owned())
    }

    /// A media session on a free pair of ports, and the index of the pair. Towards a PBX that is
    /// reached over IPv6 the sound goes over IPv6 as well.
    pub(crate) fn new_session(
        &mut self,
        now: Duration,
        id: LegId,
        encryption: Encryption,
        account: Option<usize>,
        ipv6: bool,
    ) -> Option<(usize, Session)> {
        let slot = self.slot_of.iter().position(Option::is_none)?;
        self.slot_of[slot] = Some(id);
        self.sessions += 1;
        let mut seed = self.seed;
        for (byte, count) in seed.iter_mut().zip(self.sessions.to_le_bytes()) {
            *byte ^= count;
        }
        let mapped = self.port_maps.mapped(now, slot);
        let mapped = mapped.filter(|mapped| mapped.rtp.is_ipv6() == ipv6);
        let media = &self.config.media;
        let account = account.and_then(|account| self.config.accounts.get(account));
        let config = SessionConfig {
            codecs: account
                .map(|account| &account.codecs)
                .filter(|codecs| !codecs.is_empty())
                .unwrap_or(&media.codecs)
                .iter()
                .map(codec)
                .collect(),
            inband_keys: match account.map(|account| account.inband_keys) {
                Some(config::InbandKeys::Always) => InbandKeys::Always,
                Some(config::InbandKeys::WithoutEvents) => InbandKeys::WithoutEvents,
                Some(config::InbandKeys::Off) | None => InbandKeys::Off,
            },
            advertised_address: self.public.filter(|public| public.is_ipv6() == ipv6),
            advertised_rtp: mapped.map(|mapped| mapped.rtp),
            advertised_rtcp: mapped.and_then(|mapped| mapped.rtcp),
            encryption,
            crypto_suites: media.crypto_suites.iter().map(suite).collect(),
            ptime_ms: media.ptime_ms,
            telephone_event_pt: media.telephone_event_payload_type,
            accept_unnegotiated_events: media.unnegotiated_events,
            rtp_timeout_ms: Some(self.config.call.rtp_timeout.as_millis() as u64),
            jitter: JitterConfig::default(),
            ..SessionConfig::new(match self.rtp_local_ipv6.get(slot) {
                Some(local) if ipv6 => *local,
                _ => self.rtp_local[slot],
            })
        };
        Some((slot, Session::new(config, seed)))
    }

    /// Tells that a call did not come about because of its encryption.
    pub(crate) fn encryption_refused(
        &mut self,
        account: Option<usize>,
        party: &str,
        reason: &str,
        hint: &str,
    ) {
        let account = account.and_then(|account| self.config.accounts.get(account));
        self.tell(Event::EncryptionRefused {
            account: account.map_or_else(String::new, |account| account.name.clone()),
            party: party.to_owned(),
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        });
    }

    pub(crate) fn drain_media(&mut self, now: Duration) -> bool {
        let mut events = Vec::new();
        for (id, leg) in &mut self.legs {
            while let Some(event) = leg.session.poll_event() {
                events.push((*id, event));
            }
        }
        let busy = !events.is_empty();
        for (id, event) in events {
            match event {
                MediaEvent::Digit { digit, via, .. } => {
                    self.test_call_digit(id, digit);
                    self.controller.leg_digit(now, id, digit, via.name());
                }
                MediaEvent::Timeout => {
                    self.controller.leg_media_lost(now, id);
                    self.test_call_silent(id);
                }
                MediaEvent::Resumed | MediaEvent::Hold { .. } => {}
            }
        }
        busy
    }
}

fn codec(codec: &config::Codec) -> Codec {
    match codec {
        config::Codec::Pcma => Codec::Pcma,
        config::Codec::Pcmu => Codec::Pcmu,
        config::Codec::G722 => Codec::G722,
        config::Codec::Opus => Codec::Opus,
    }
}

fn suite(suite: &config::CryptoSuite) -> CryptoSuite {
    match suite {
        config::CryptoSuite::AesCm128HmacSha1_80 => CryptoSuite::AesCm128HmacSha1_80,
        config::CryptoSuite::AesCm128HmacSha1_32 => CryptoSuite::AesCm128HmacSha1_32,
        config::CryptoSuite::AesCm256HmacSha1_80 => CryptoSuite::AesCm256HmacSha1_80,
        config::CryptoSuite::AesCm256HmacSha1_32 => CryptoSuite::AesCm256HmacSha1_32,
    }
}
