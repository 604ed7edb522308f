//! The offer/answer state of one session (RFC 3264).

use std::fmt;
use std::net::SocketAddr;

use rand_core::Rng;
use sdp_types::Session as Description;

use super::local::{LocalAudio, describe, own_address, to_bytes};
use super::remote::{Direction, MediaLine, Remote, RemoteAudio, Wanted, read};
use crate::codec::{OPUS_TICKS, OpusWishes};
use crate::error::{SdpError, SdpErrorKind};
use crate::srtp::{AgreedKeys, CryptoLine, MasterKey};
use crate::{Codec, CryptoSuite, Encryption, SessionConfig};

/// Our payload types of Opus, of events by its clock, and the one to take instead where `telephone_event_pt` is one of these.
const OPUS_PT: u8 = 111;
const FAST_EVENT_PT: u8 = 110;
const SPARE_PT: u8 = 112;

/// What both sides agreed to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreed {
    /// Where RTP goes, and the only place it is taken from.
    pub(crate) remote_rtp: Option<SocketAddr>,
    pub(crate) remote_rtcp: Option<SocketAddr>,
    /// What we send, with the payload type the peer wants for it.
    pub(crate) send: (u8, Codec),
    /// What we take, with the payload types of our own description, and of the peer's where that cannot be confused.
    pub(crate) receive: Vec<(u8, Codec)>,
    /// What key events go out as, with the ticks of its clock in a line sample.
    pub(crate) event_send: Option<(u8, u32)>,
    /// The same for those that come.
    pub(crate) event_receive: Vec<(u8, u32)>,
    /// The payload types that the peer's description uses, whatever for.
    pub(crate) named_by_peer: Vec<u8>,
    /// What the peer asks of Opus.
    pub(crate) wishes: OpusWishes,
    pub(crate) ptime_ms: u32,
    /// The peer wants our audio.
    pub(crate) may_send: bool,
    /// The peer said it will send.
    pub(crate) expects: bool,
    /// The keys; `None` in the clear.
    pub(crate) keys: Option<AgreedKeys>,
    /// The transport as it stands in the media line.
    proto: String,
}

/// A description of ours, which may hold keys.
struct Written(Description);

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Offers, answers, and what they led to.
#[derive(Debug)]
pub(crate) struct Negotiator {
    /// Where we receive, seen from outside.
    rtp: SocketAddr,
    rtcp: Option<SocketAddr>,
    codecs: Vec<Codec>,
    event_pt: u8,
    ptime_ms: u32,
    encryption: Encryption,
    suites: Vec<CryptoSuite>,
    /// One for each suite, for the whole call; none when nothing is encrypted.
    own_keys: Vec<MasterKey>,
    session_id: u64,
    version: u64,
    /// The last description sent, with version 0, to see whether the next one differs.
    last: Option<Written>,
    lines: Vec<MediaLine>,
    audio_index: usize,
    /// Our offer that waits for its answer.
    offered: Option<LocalAudio>,
    /// Our last offer, once it has had an answer.
    closed_offer: Option<LocalAudio>,
    agreed: Option<Agreed>,
}

impl Negotiator {
    /// `random` must be a generator that nobody can predict: the keys come from it.
    pub(crate) fn new(config: &SessionConfig, random: &mut impl Rng) -> Negotiator {
        let session_id = random.next_u64();
        let mut suites: Vec<CryptoSuite> = Vec::new();
        for suite in &config.crypto_suites {
            if !suites.contains(suite) {
                suites.push(*suite);
            }
        }
        if suites.is_empty() {
            suites = CryptoSuite::ALL.to_vec();
        }
        let own_keys = match config.encryption {
            Encryption::Off => Vec::new(),
            Encryption::Optional | Encryption::Required => suites
                .iter()
                .map(|suite| MasterKey::generate(*suite, random))
                .collect(),
        };
        let mut codecs: Vec<Codec> = Vec::new();
        for codec in &config.codecs {
            if codec.is_built() && !codecs.contains(codec) {
                codecs.push(*codec);
            }
        }
        if codecs.is_empty() {
            codecs = vec![Codec::Pcma, Codec::Pcmu];
        }
        let rtp = config.advertised_rtp.unwrap_or_else(|| {
            let address = own_address(config.rtp_local, config.advertised_address);
            SocketAddr::new(address, config.rtp_local.port())
        });
        Negotiator {
            rtp,
            rtcp: config.advertised_rtcp.filter(|rtcp| {
                rtcp.ip() != rtp.ip() || rtp.port().checked_add(1) != Some(rtcp.port())
            }),
            codecs,
            event_pt: if (96..=127).contains(&config.telephone_event_pt) {
                config.telephone_event_pt
            } else {
                101
            },
            ptime_ms: whole_blocks(config.ptime_ms),
            encryption: config.encryption,
            suites,
            own_keys,
            // RFC 8866, 5.2: numeric; 62 bits keep it positive in signed parsers.
            session_id: session_id >> 2,
            version: 0,
            last: None,
            lines: Vec::new(),
            audio_index: 0,
            offered: None,
            closed_offer: None,
            agreed: None,
        }
    }

    /// What is in force.
    pub(crate) fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// The payload type of events in our offers.
    pub(crate) fn own_event_pt(&self) -> u8 {
        self.event_pt
    }

    /// An offer; a later one keeps every media line in its place.
    pub(crate) fn create_offer(&mut self) -> Vec<u8> {
        let audio = LocalAudio {
            rtp_port: self.rtp.port(),
            rtcp: self.rtcp,
            proto: self.offered_proto(),
            codecs: self
                .codecs
                .iter()
                .map(|codec| {
                    let number = codec.static_payload_type();
                    (number.unwrap_or_else(|| self.dynamic(OPUS_PT)), *codec)
                })
                .collect(),
            events: self.offered_events(),
            direction: Direction::SendRecv,
            ptime_ms: self.ptime_ms,
            crypto: self.offered_keys(),
        };
        if self.lines.is_empty() {
            self.lines.push(own_line());
            self.audio_index = 0;
        }
        self.offered = Some(audio.clone());
        self.write(&audio)
    }

    /// Takes an answer to our last offer, which is closed by it in any case. A further answer to the same offer (the 200 after
    /// an early answer, or another branch of a forked call) replaces the first. On an error the state in force stays.
    pub(crate) fn accept_answer(&mut self, body: &[u8]) -> Result<(), SdpError> {
        if let Some(offered) = self.offered.take() {
            self.closed_offer = Some(offered);
        }
        let Some(offered) = &self.closed_offer else {
            return Err(SdpError::new(
                SdpErrorKind::WrongState,
                "an answer came without an offer of ours",
            ));
        };
        let remote = read(body, self.wanted())?;
        let Some(line) = remote.lines.get(self.audio_index) else {
            return Err(SdpError::new(
                SdpErrorKind::NoAudio,
                "the answer has fewer media lines than the offer",
            ));
        };
        if line.port == 0 {
            return Err(SdpError::new(
                SdpErrorKind::Refused,
                "the answer refuses the audio stream",
            ));
        }
        let proto = line.proto.clone();
        let audio = remote.audio?;
        if audio.index != self.audio_index {
            return Err(SdpError::new(
                SdpErrorKind::NoAudio,
                "the answer puts audio at another place than the offer",
            ));
        }
        let mut agreed = agree(offered, &audio, self.ptime_ms)?;
        agreed.proto = proto;
        self.agreed = Some(agreed);
        Ok(())
    }

    /// Our offer was refused as a whole: what was in force stays (RFC 3261, 14.1).
    pub(crate) fn withdraw_offer(&mut self) {
        self.offered = None;
        self.closed_offer = None;
    }

    /// Answers an offer. On an error the state in force stays as it is (RFC 3261, 14.2).
    pub(crate) fn answer_offer(&mut self, body: &[u8]) -> Result<Vec<u8>, SdpError> {
        let Remote { lines, audio } = read(body, self.wanted())?;
        if self.offered.is_some() && self.agreed.is_some() {
            return Err(SdpError::new(
                SdpErrorKind::WrongState,
                "the peer's offer crossed one of ours",
            ));
        }
        let audio = audio?;
        let (payload_type, codec) = self.choose(&audio)?;
        let answer = LocalAudio {
            rtp_port: self.rtp.port(),
            rtcp: self.rtcp,
            proto: lines
                .get(audio.index)
                .map_or_else(|| "RTP/AVP".to_owned(), |line| line.proto.clone()),
            codecs: vec![(payload_type, codec)],
            events: event_of(&audio.events, codec).into_iter().collect(),
            direction: audio.direction.answered(),
            ptime_ms: codec.packet_time(packet_time(&audio, self.ptime_ms)),
            crypto: self.answered_key(&audio),
        };
        let agreed = agree(&answer, &audio, self.ptime_ms)?;
        self.withdraw_offer();
        self.lines = lines;
        self.audio_index = audio.index;
        self.agreed = Some(agreed);
        Ok(self.write(&answer))
    }

    /// A payload type of our own choice that is not that of events.
    fn dynamic(&self, wanted: u8) -> u8 {
        if wanted == self.event_pt {
            SPARE_PT
        } else {
            wanted
        }
    }

    /// Key events by the clock of each codec that we offer (RFC 4733, 2.1 has both the same).
    fn offered_events(&self) -> Vec<(u8, u32)> {
        let mut events = vec![(self.event_pt, 1)];
        if self.codecs.contains(&Codec::Opus) {
            events.push((self.dynamic(FAST_EVENT_PT), OPUS_TICKS));
        }
        events
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            codecs: &self.codecs,
            encryption: self.encryption,
            suites: &self.suites,
        }
    }

    /// What an offer says about encryption: `RTP/SAVP` must be encrypted, `RTP/AVP` with keys may be. A call under way keeps
    /// the form that the peer has taken.
    fn offered_proto(&self) -> String {
        let encrypted = self.agreed.as_ref().filter(|agreed| agreed.keys.is_some());
        match (encrypted, self.encryption) {
            (Some(agreed), _) => agreed.proto.clone(),
            (None, Encryption::Required) => "RTP/SAVP".to_owned(),
            (None, _) => "RTP/AVP".to_owned(),
        }
    }

    fn offered_keys(&self) -> Vec<CryptoLine> {
        let line = |(tag, key): (u32, &MasterKey)| CryptoLine {
            tag,
            spelling: key.suite().name().to_owned(),
            key: key.clone(),
            identifier: Vec::new(),
        };
        (1..).zip(&self.own_keys).map(line).collect()
    }

    /// Our key for an answer: of our most preferred suite among those of the offer, with the offer's number and spelling.
    fn answered_key(&self, audio: &RemoteAudio) -> Vec<CryptoLine> {
        self.own_keys
            .iter()
            .find_map(|own| {
                let theirs = audio
                    .crypto
                    .iter()
                    .find(|line| line.key.suite() == own.suite())?;
                Some(CryptoLine {
                    key: own.clone(),
                    identifier: Vec::new(),
                    ..theirs.clone()
                })
            })
            .into_iter()
            .collect()
    }

    /// Our most preferred codec among those the peer has.
    fn choose(&self, audio: &RemoteAudio) -> Result<(u8, Codec), SdpError> {
        self.codecs
            .iter()
            .find_map(|own| audio.codecs.iter().find(|(_, codec)| codec == own))
            .copied()
            .ok_or_else(|| SdpError::new(SdpErrorKind::NoCommonCodec, "no codec in common"))
    }

    /// Writes a description; its version grows by one whenever it differs from the last (RFC 3264, 8).
    fn write(&mut self, audio: &LocalAudio) -> Vec<u8> {
        let plain = describe(
            self.session_id,
            self.rtp.ip(),
            &self.lines,
            self.audio_index,
            audio,
        );
        if self.last.as_ref().map(|last| &last.0) != Some(&plain) {
            self.version += 1;
        }
        let mut numbered = plain.clone();
        numbered.origin.sess_version = self.version;
        self.last = Some(Written(plain));
        to_bytes(&numbered)
    }
}

fn own_line() -> MediaLine {
    MediaLine {
        media: "audio".to_owned(),
        port: 0,
        proto: "RTP/AVP".to_owned(),
        formats: String::new(),
    }
}

/// The events that go with a codec: those of its clock, else the first.
fn event_of(events: &[(u8, u32)], codec: Codec) -> Option<(u8, u32)> {
    let fits = events.iter().find(|(_, ticks)| *ticks == codec.ticks());
    fits.or(events.first()).copied()
}

/// Combines our description with the peer's.
fn agree(local: &LocalAudio, remote: &RemoteAudio, own_ptime_ms: u32) -> Result<Agreed, SdpError> {
    let send = remote
        .codecs
        .iter()
        .find(|(_, codec)| local.codecs.iter().any(|(_, own)| own == codec))
        .copied()
        .ok_or_else(|| SdpError::new(SdpErrorKind::NoCommonCodec, "no codec in common"))?;
    // Each side receives on the payload types of its own description. Peers that send on theirs are common, so that
    // number is taken too as long as it means nothing else.
    let mut receive = local.codecs.clone();
    for (theirs, codec) in &remote.codecs {
        let known = local.codecs.iter().any(|(_, own)| own == codec);
        let taken = receive.iter().any(|(pt, _)| pt == theirs)
            || local.events.iter().any(|(pt, _)| pt == theirs)
            || Codec::from_static_payload_type(*theirs).is_some();
        if known && !taken {
            receive.push((*theirs, *codec));
        }
    }
    let mut event_receive: Vec<(u8, u32)> = Vec::new();
    for (own, ticks) in &local.events {
        let Some((theirs, _)) = remote.events.iter().find(|(_, known)| known == ticks) else {
            continue;
        };
        for number in [own, theirs] {
            let taken = receive.iter().any(|(pt, _)| pt == number)
                || event_receive.iter().any(|(pt, _)| pt == number);
            if !taken {
                event_receive.push((*number, *ticks));
            }
        }
    }
    let common = remote.events.iter().copied();
    let common: Vec<(u8, u32)> = common
        .filter(|(_, ticks)| local.events.iter().any(|(_, own)| own == ticks))
        .collect();
    let keys = common_keys(local, remote)?;
    let sends_to_us = remote.direction.sends() && local.direction.receives();
    Ok(Agreed {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        send,
        receive,
        event_send: event_of(&common, send.1),
        event_receive,
        named_by_peer: remote.numbers.clone(),
        wishes: remote.wishes,
        ptime_ms: send.1.packet_time(packet_time(remote, own_ptime_ms)),
        may_send: remote.direction.receives() && local.direction.sends() && remote.rtp.is_some(),
        expects: sends_to_us && remote.rtp.is_some(),
        keys,
        proto: local.proto.clone(),
    })
}

/// The keys of both sides: the peer's line with the number and the suite of one of ours. Without keys of the peer the call is
/// in the clear; whether that may be was decided when its description was read.
fn common_keys(local: &LocalAudio, remote: &RemoteAudio) -> Result<Option<AgreedKeys>, SdpError> {
    let pair = |own: &CryptoLine| {
        let theirs = remote.crypto.iter().find(|theirs| {
            theirs.tag == own.tag && theirs.key.suite() == own.key.suite()
                // Our own key sent back would make two streams of one key.
                && local.crypto.iter().all(|own| own.key != theirs.key)
        })?;
        Some(AgreedKeys {
            own: own.key.clone(),
            peer: theirs.key.clone(),
            identifier: theirs.identifier.clone(),
        })
    };
    let keys = local.crypto.iter().find_map(pair);
    if keys.is_none() && !local.crypto.is_empty() && remote.has_crypto {
        return Err(SdpError::new(
            SdpErrorKind::NoCommonCrypto,
            "the other side's key belongs to none of ours",
        ));
    }
    Ok(keys)
}

/// The packet time to send: what the peer asks for, inside what we do and what it takes at most.
fn packet_time(remote: &RemoteAudio, own_ms: u32) -> u32 {
    let wanted = remote.ptime_ms.unwrap_or(own_ms);
    whole_blocks(wanted.min(remote.max_ptime_ms.unwrap_or(60)))
}

/// The nearest packet time we can send: 10..=60 ms in whole blocks, rounded down.
fn whole_blocks(ms: u32) -> u32 {
    (ms / 10 * 10).clamp(10, 60)
}
