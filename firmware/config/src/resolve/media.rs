//! Section `media`, and what an account says about its sound.

use super::{Resolver, number};
use crate::document::Entry;
use crate::model::{Codec, CryptoSuite, EchoControl, InbandKeys, Media, MediaEncryption};
use crate::problem::ProblemKind;

/// The suites by their names in RFC 4568 and RFC 6188.
const SUITES: [(&str, CryptoSuite); 4] = [
    ("AES_CM_128_HMAC_SHA1_80", CryptoSuite::AesCm128HmacSha1_80),
    ("AES_CM_128_HMAC_SHA1_32", CryptoSuite::AesCm128HmacSha1_32),
    ("AES_256_CM_HMAC_SHA1_80", CryptoSuite::AesCm256HmacSha1_80),
    ("AES_256_CM_HMAC_SHA1_32", CryptoSuite::AesCm256HmacSha1_32),
];

/// The codecs by their names in the file.
const CODECS: [(&str, Codec); 4] = [
    ("pcma", Codec::Pcma),
    ("pcmu", Codec::Pcmu),
    ("g722", Codec::G722),
    ("opus", Codec::Opus),
];

impl Resolver<'_> {
    pub(super) fn media(&mut self, entry: &Entry) -> Media {
        let (first, last) = (
            entry.integer("rtp_port_first"),
            entry.integer("rtp_port_last"),
        );
        if first % 2 != 0 {
            let cause = format!("{first} is odd");
            self.problem(
                entry,
                "rtp_port_first",
                ProblemKind::OutOfRange,
                cause,
                "RTP uses even ports; RTCP is one above",
            );
        }
        if last <= first {
            let cause = format!("{last} does not lie above rtp_port_first = {first}");
            self.problem(
                entry,
                "rtp_port_last",
                ProblemKind::OutOfRange,
                cause,
                "leave room for two ports a call",
            );
        } else if last - first > 512 {
            let cause = format!("{} ports are more than one box can use", last - first + 1);
            self.problem(
                entry,
                "rtp_port_last",
                ProblemKind::OutOfRange,
                cause,
                "512 ports at the most: each pair is opened at start",
            );
        }
        let codecs = self.codecs(entry);
        let crypto_suites = self.crypto_suites(entry);
        if entry.integer("ptime_ms") % 10 != 0 {
            let cause = "not a multiple of 10".to_owned();
            self.problem(
                entry,
                "ptime_ms",
                ProblemKind::OutOfRange,
                cause,
                "use 20 unless the PBX demands another length",
            );
        }
        let ports = first.max(0) as u16..=last.clamp(0, 65_535) as u16;
        Media {
            rtp_ports: ports
                .step_by(2)
                .filter(|port| i64::from(*port) < last)
                .collect(),
            codecs,
            crypto_suites,
            ptime_ms: number(entry, "ptime_ms"),
            unnegotiated_events: entry.bool("unnegotiated_events"),
            telephone_event_payload_type: number(entry, "telephone_event_payload_type") as u8,
            echo_paths_file: entry.text("echo_paths_file").into(),
            dscp: number(entry, "dscp") as u8,
            gain_to_line_db: optional_db(entry, "gain_to_line_db").unwrap_or(0),
            gain_to_phone_db: optional_db(entry, "gain_to_phone_db").unwrap_or(0),
            echo_control: match entry.text("echo_control").as_str() {
                "off" => EchoControl::Off,
                "linear" => EchoControl::Linear,
                _ => EchoControl::Full,
            },
            echo_tail_ms: number(entry, "echo_tail_ms"),
        }
    }

    pub(super) fn codecs(&mut self, entry: &Entry) -> Vec<Codec> {
        let names = entry.list("codecs");
        let known = |name: &String| CODECS.iter().find(|(known, _)| known == name);
        let codecs: Vec<Codec> = names
            .iter()
            .filter_map(known)
            .map(|(_, codec)| *codec)
            .collect();
        if codecs.len() != names.len() || codecs.is_empty() {
            let cause = format!("{names:?} is not a list of known codecs");
            let known: Vec<&str> = CODECS.iter().map(|(name, _)| *name).collect();
            let hint = format!("known: {}", known.join(", "));
            self.problem(entry, "codecs", ProblemKind::OutOfRange, cause, hint);
        }
        codecs
    }

    fn crypto_suites(&mut self, entry: &Entry) -> Vec<CryptoSuite> {
        let names = entry.list("crypto_suites");
        let known = |name: &String| SUITES.iter().find(|(known, _)| known == name);
        let suites: Vec<CryptoSuite> = names
            .iter()
            .filter_map(known)
            .map(|(_, suite)| *suite)
            .collect();
        if suites.len() != names.len() || suites.is_empty() {
            let cause = format!("{names:?} is not a list of known suites");
            let known: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
            let hint = format!("known: {}", known.join(", "));
            self.problem(entry, "crypto_suites", ProblemKind::OutOfRange, cause, hint);
        }
        suites
    }

    /// Keys in the clear protect against nobody who sees both; that must be somebody's decision.
    pub(super) fn media_encryption(&mut self, entry: &Entry) -> MediaEncryption {
        let encryption = match entry.text("media_encryption").as_str() {
            "required" => MediaEncryption::Required,
            "optional" => MediaEncryption::Optional,
            _ => MediaEncryption::Off,
        };
        if encryption == MediaEncryption::Off || entry.text("transport") == "tls" {
            return encryption;
        }
        let cause =
            "the keys of the sound would travel in SIP messages that anybody on the way can read"
                .to_owned();
        if entry.bool("media_encryption_without_tls") {
            let hint = "use SIP over TLS for this account, and remove media_encryption_without_tls";
            self.warning(entry, "media_encryption_without_tls", cause, hint);
        } else {
            let hint = "set transport = \"tls\" for this account, or media_encryption_without_tls = true if nobody can listen between the box and the PBX";
            self.problem(entry, "media_encryption", ProblemKind::Unwise, cause, hint);
        }
        encryption
    }
}

pub(super) fn inband_keys(entry: &Entry) -> InbandKeys {
    match entry.text("inband_keys").as_str() {
        "always" => InbandKeys::Always,
        "without_events" => InbandKeys::WithoutEvents,
        _ => InbandKeys::Off,
    }
}

/// A number of decibels whose range the schema has checked; `None` when the key is unset.
pub(super) fn optional_db(entry: &Entry, key: &str) -> Option<i8> {
    entry.get(key)?;
    i8::try_from(entry.integer(key)).ok()
}
