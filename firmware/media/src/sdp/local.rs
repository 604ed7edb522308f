//! Writing our own session descriptions.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};

use super::remote::{Direction, MediaLine};
use crate::codec::OpusWishes;
use crate::srtp::{CryptoLine, write_crypto};
use crate::{Codec, SAMPLE_RATE_HZ};

/// Our side of the audio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalAudio {
    pub(crate) rtp_port: u16,
    /// Where RTCP is received, when that is not the port after.
    pub(crate) rtcp: Option<SocketAddr>,
    pub(crate) proto: String,
    pub(crate) codecs: Vec<(u8, Codec)>,
    /// Payload types of key events, with the ticks of their clocks in a line sample.
    pub(crate) events: Vec<(u8, u32)>,
    pub(crate) direction: Direction,
    pub(crate) ptime_ms: u32,
    /// Our keys; in an answer the one that was chosen.
    pub(crate) crypto: Vec<CryptoLine>,
}

impl LocalAudio {
    fn to_media(&self) -> Media {
        let mut formats: Vec<String> = self.codecs.iter().map(|(pt, _)| pt.to_string()).collect();
        let mut attributes = Vec::new();
        for (pt, codec) in &self.codecs {
            // RFC 7587, 7: always two channels, whatever is sent.
            let channels = if *codec == Codec::Opus { "/2" } else { "" };
            let map = format!("{pt} {}/{}{channels}", codec.name(), codec.clock_hz());
            attributes.push(Attribute::with_value("rtpmap", map));
            if *codec == Codec::Opus {
                let wishes = format!("{pt} {}", OpusWishes::OURS);
                attributes.push(Attribute::with_value("fmtp", wishes));
            }
        }
        for (pt, ticks) in &self.events {
            formats.push(pt.to_string());
            attributes.push(Attribute::with_value(
                "rtpmap",
                format!("{pt} telephone-event/{}", SAMPLE_RATE_HZ * ticks),
            ));
            attributes.push(Attribute::with_value("fmtp", format!("{pt} 0-15")));
        }
        for line in &self.crypto {
            let value = write_crypto(line.tag, &line.spelling, &line.key);
            attributes.push(Attribute::with_value("crypto", value));
        }
        if let Some(rtcp) = self.rtcp {
            let family = if rtcp.is_ipv4() { "IP4" } else { "IP6" };
            let place = format!("{} IN {family} {}", rtcp.port(), rtcp.ip());
            attributes.push(Attribute::with_value("rtcp", place));
        }
        attributes.push(Attribute::with_value("ptime", self.ptime_ms));
        attributes.push(Attribute::new(self.direction.name()));
        Media {
            media: "audio".to_owned(),
            port: self.rtp_port,
            num_ports: None,
            proto: self.proto.clone(),
            fmt: formats.join(" "),
            media_title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes,
        }
    }
}

/// A media line that is refused but keeps its place (RFC 3264, 6).
fn refused(line: &MediaLine) -> Media {
    Media {
        media: line.media.clone(),
        port: 0,
        num_ports: None,
        proto: line.proto.clone(),
        fmt: line.formats.clone(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// The description without its version: `lines` with our audio at `audio_index` and port 0 everywhere else.
pub(crate) fn describe(
    session_id: u64,
    address: IpAddr,
    lines: &[MediaLine],
    audio_index: usize,
    audio: &LocalAudio,
) -> Session {
    let mut session = Session::new(
        Origin::with_ip_addr(session_id.to_string(), 0, address),
        "-",
    );
    session.connection = Some(Connection::from_ip_addr(address));
    session.times = vec![Time::new(0, 0)];
    session.medias = lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            if index == audio_index {
                audio.to_media()
            } else {
                refused(line)
            }
        })
        .collect();
    session
}

/// The octets of a description.
pub(crate) fn to_bytes(session: &Session) -> Vec<u8> {
    let mut body = Vec::with_capacity(320);
    // Writing to memory cannot fail.
    let _ = session.write(&mut body);
    body
}

/// The address to write: the advertised one, or the bound one.
pub(crate) fn own_address(bound: SocketAddr, advertised: Option<IpAddr>) -> IpAddr {
    advertised.unwrap_or(bound.ip())
}
