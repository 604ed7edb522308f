//! The offer/answer state of one session (RFC 3264).

use std::net::SocketAddr;

use sdp_types::Session as Description;

use super::local::{LocalAudio, describe, own_address, to_bytes};
use super::remote::{Direction, MediaLine, Remote, RemoteAudio, read};
use crate::error::{SdpError, SdpErrorKind};
use crate::{Codec, SessionConfig};

/// What both sides agreed to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreed {
    /// Where RTP goes, and the only place it is taken from.
    pub(crate) remote_rtp: Option<SocketAddr>,
    pub(crate) remote_rtcp: Option<SocketAddr>,
    /// What we send, with the payload type the peer wants for it.
    pub(crate) send: (u8, Codec),
    /// What we take, with the payload types of our own description.
    pub(crate) receive: Vec<(u8, Codec)>,
    pub(crate) event_send_pt: Option<u8>,
    pub(crate) event_receive: Vec<u8>,
    pub(crate) ptime_ms: u32,
    /// The peer wants our audio.
    pub(crate) may_send: bool,
    /// The peer said it will send.
    pub(crate) expects: bool,
}

/// Offers, answers, and what they led to.
#[derive(Debug)]
pub(crate) struct Negotiator {
    bound: SocketAddr,
    address: std::net::IpAddr,
    codecs: Vec<Codec>,
    event_pt: u8,
    ptime_ms: u32,
    session_id: u64,
    version: u64,
    /// The last description sent, with version 0, to see whether the next one differs.
    last: Option<Description>,
    lines: Vec<MediaLine>,
    audio_index: usize,
    /// Our offer that waits for its answer.
    offered: Option<LocalAudio>,
    /// Our last offer, once it has had an answer.
    closed_offer: Option<LocalAudio>,
    agreed: Option<Agreed>,
}

impl Negotiator {
    pub(crate) fn new(config: &SessionConfig, session_id: u64) -> Negotiator {
        let mut codecs: Vec<Codec> = Vec::new();
        for codec in &config.codecs {
            if !codecs.contains(codec) {
                codecs.push(*codec);
            }
        }
        if codecs.is_empty() {
            codecs = vec![Codec::Pcma, Codec::Pcmu];
        }
        Negotiator {
            bound: config.rtp_local,
            address: own_address(config.rtp_local, config.advertised_address),
            codecs,
            event_pt: if (96..=127).contains(&config.telephone_event_pt) {
                config.telephone_event_pt
            } else {
                101
            },
            ptime_ms: whole_blocks(config.ptime_ms),
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
            rtp_port: self.bound.port(),
            proto: "RTP/AVP".to_owned(),
            codecs: self
                .codecs
                .iter()
                .map(|codec| (codec.static_payload_type(), *codec))
                .collect(),
            event_pt: Some(self.event_pt),
            direction: Direction::SendRecv,
            ptime_ms: self.ptime_ms,
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
        let remote = read(body, &self.codecs)?;
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
        let audio = remote.audio?;
        if audio.index != self.audio_index {
            return Err(SdpError::new(
                SdpErrorKind::NoAudio,
                "the answer puts audio at another place than the offer",
            ));
        }
        self.agreed = Some(agree(offered, &audio, self.ptime_ms)?);
        Ok(())
    }

    /// Our offer was refused as a whole: what was in force stays (RFC 3261, 14.1).
    pub(crate) fn withdraw_offer(&mut self) {
        self.offered = None;
        self.closed_offer = None;
    }

    /// Answers an offer. On an error the state in force stays as it is (RFC 3261, 14.2).
    pub(crate) fn answer_offer(&mut self, body: &[u8]) -> Result<Vec<u8>, SdpError> {
        let Remote { lines, audio } = read(body, &self.codecs)?;
        if self.offered.is_some() && self.agreed.is_some() {
            return Err(SdpError::new(
                SdpErrorKind::WrongState,
                "the peer's offer crossed one of ours",
            ));
        }
        let audio = audio?;
        let (payload_type, codec) = self.choose(&audio)?;
        let answer = LocalAudio {
            rtp_port: self.bound.port(),
            proto: lines
                .get(audio.index)
                .map_or_else(|| "RTP/AVP".to_owned(), |line| line.proto.clone()),
            codecs: vec![(payload_type, codec)],
            event_pt: audio.event_pt,
            direction: audio.direction.answered(),
            ptime_ms: packet_time(&audio, self.ptime_ms),
        };
        let agreed = agree(&answer, &audio, self.ptime_ms)?;
        self.withdraw_offer();
        self.lines = lines;
        self.audio_index = audio.index;
        self.agreed = Some(agreed);
        Ok(self.write(&answer))
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
            self.address,
            &self.lines,
            self.audio_index,
            audio,
        );
        if self.last.as_ref() != Some(&plain) {
            self.version += 1;
        }
        let mut numbered = plain.clone();
        numbered.origin.sess_version = self.version;
        self.last = Some(plain);
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

/// Combines our description with the peer's.
fn agree(local: &LocalAudio, remote: &RemoteAudio, own_ptime_ms: u32) -> Result<Agreed, SdpError> {
    let send = remote
        .codecs
        .iter()
        .find(|(_, codec)| local.codecs.iter().any(|(_, own)| own == codec))
        .copied()
        .ok_or_else(|| SdpError::new(SdpErrorKind::NoCommonCodec, "no codec in common"))?;
    let receive = local.codecs.clone();
    // Each side receives on the payload types of its own description. Peers that send on theirs are common, so that
    // number is taken too as long as it means nothing else.
    let mut event_receive = Vec::new();
    if let (Some(own), Some(theirs)) = (local.event_pt, remote.event_pt) {
        event_receive.push(own);
        if theirs != own && !receive.iter().any(|(pt, _)| *pt == theirs) {
            event_receive.push(theirs);
        }
    }
    let sends_to_us = remote.direction.sends() && local.direction.receives();
    Ok(Agreed {
        remote_rtp: remote.rtp,
        remote_rtcp: remote.rtcp,
        send,
        receive,
        event_send_pt: local.event_pt.and(remote.event_pt),
        event_receive,
        ptime_ms: packet_time(remote, own_ptime_ms),
        may_send: remote.direction.receives() && local.direction.sends() && remote.rtp.is_some(),
        expects: sends_to_us && remote.rtp.is_some(),
    })
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
