//! What the peer's session description says about audio.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, RtpMap, Session};

use super::cleaner::clean;
use crate::codec::{OPUS_TICKS, OpusWishes};
use crate::error::{SdpError, SdpErrorKind};
use crate::srtp::{CryptoLine, read_crypto};
use crate::{Codec, CryptoSuite, Encryption, SAMPLE_RATE_HZ};

/// The four directions of RFC 3264, seen from whoever wrote the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    fn from_name(name: &str) -> Option<Direction> {
        [
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ]
        .into_iter()
        .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The answer of a side that wants both directions (RFC 3264, 6.1).
    pub(crate) fn answered(self) -> Direction {
        match self {
            Direction::SendRecv => Direction::SendRecv,
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            Direction::Inactive => Direction::Inactive,
        }
    }
}

/// A media line as it has to be mirrored in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaLine {
    pub(crate) media: String,
    pub(crate) port: u16,
    pub(crate) proto: String,
    pub(crate) formats: String,
}

/// The audio stream chosen from the peer's description.
#[derive(Debug, Clone)]
pub(crate) struct RemoteAudio {
    /// Its place among the media lines.
    pub(crate) index: usize,
    /// Where it wants RTP; `None` for the hold of old, `c=0.0.0.0` (RFC 3264, 8.4).
    pub(crate) rtp: Option<SocketAddr>,
    pub(crate) rtcp: Option<SocketAddr>,
    pub(crate) direction: Direction,
    /// Codecs of ours in the peer's order, with the peer's payload types.
    pub(crate) codecs: Vec<(u8, Codec)>,
    /// Payload types of key events in the peer's order, with the ticks of their clocks in a line sample; one for each clock.
    pub(crate) events: Vec<(u8, u32)>,
    /// Payload types that stand for something else than key events, known or not.
    pub(crate) numbers: Vec<u8>,
    /// What the peer asks of the Opus it receives.
    pub(crate) wishes: OpusWishes,
    pub(crate) ptime_ms: Option<u32>,
    pub(crate) max_ptime_ms: Option<u32>,
    /// The peer's keys that we can use.
    pub(crate) crypto: Vec<CryptoLine>,
    /// Whether the peer gave keys at all, usable or not.
    pub(crate) has_crypto: bool,
}

/// What a description is read for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) codecs: &'a [Codec],
    pub(crate) encryption: Encryption,
    pub(crate) suites: &'a [CryptoSuite],
}

/// A parsed description.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) lines: Vec<MediaLine>,
    /// The stream to use, or why there is none.
    pub(crate) audio: Result<RemoteAudio, SdpError>,
}

/// Reads `body` and picks the first audio stream that can be used.
pub(crate) fn read(body: &[u8], wanted: Wanted<'_>) -> Result<Remote, SdpError> {
    let text = clean(body)?;
    let session = Session::parse(text.as_bytes())
        .map_err(|error| SdpError::new(SdpErrorKind::Malformed, error.to_string()))?;
    let lines: Vec<MediaLine> = session
        .medias
        .iter()
        .map(|media| MediaLine {
            media: media.media.clone(),
            port: media.port,
            proto: media.proto.clone(),
            formats: media.fmt.clone(),
        })
        .collect();
    let mut audio = Err(SdpError::new(
        SdpErrorKind::NoAudio,
        "there is no audio stream",
    ));
    for (index, media) in session.medias.iter().enumerate() {
        if !media.media.eq_ignore_ascii_case("audio") {
            continue;
        }
        match read_audio(&session, media, index, wanted) {
            Ok(stream) => {
                audio = Ok(stream);
                break;
            }
            // The first reason that says more than "no audio" is the one worth reporting.
            Err(error) => {
                if audio
                    .as_ref()
                    .is_err_and(|known: &SdpError| known.kind == SdpErrorKind::NoAudio)
                {
                    audio = Err(error);
                }
            }
        }
    }
    Ok(Remote { lines, audio })
}

fn read_audio(
    session: &Session,
    media: &Media,
    index: usize,
    wanted: Wanted<'_>,
) -> Result<RemoteAudio, SdpError> {
    if media.port == 0 {
        return Err(SdpError::new(
            SdpErrorKind::NoAudio,
            "the audio stream has port 0",
        ));
    }
    let has_crypto = crypto_values(media).next().is_some();
    let crypto = read_keys(media, wanted)?;
    let mut found = Vec::new();
    let mut events: Vec<(u8, u32)> = Vec::new();
    let mut wishes = OpusWishes::default();
    for payload_type in media
        .fmt
        .split(' ')
        .filter_map(|word| word.parse::<u8>().ok())
        .filter(|pt| *pt < 128)
    {
        match format_of(media, payload_type) {
            Some(Format::Speech(codec))
                if wanted.codecs.contains(&codec)
                    && !found.iter().any(|(pt, _)| *pt == payload_type) =>
            {
                if codec == Codec::Opus && !found.iter().any(|(_, known)| *known == codec) {
                    wishes = OpusWishes::read(parameters_of(media, payload_type));
                }
                found.push((payload_type, codec));
            }
            Some(Format::Events(ticks)) if !events.iter().any(|(_, known)| *known == ticks) => {
                events.push((payload_type, ticks));
            }
            _ => {}
        }
    }
    if found.is_empty() {
        return Err(SdpError::new(
            SdpErrorKind::NoCommonCodec,
            format!("offered formats: {}", media.fmt),
        ));
    }
    let connection = media.connections.first().or(session.connection.as_ref());
    let address = usable_address(connection)?;
    let rtcp_port = attribute(media, session, "rtcp")
        .and_then(|value| {
            value
                .split(' ')
                .next()
                .and_then(|port| port.parse::<u16>().ok())
        })
        .filter(|port| *port != 0)
        .or_else(|| media.port.checked_add(1));
    let rtcp_address = attribute(media, session, "rtcp")
        .and_then(|value| {
            value
                .split(' ')
                .nth(3)
                .and_then(|address| address.parse::<IpAddr>().ok())
        })
        .filter(|address| !address.is_multicast() && !address.is_unspecified());
    let mut direction = direction_of(&media.attributes)
        .or_else(|| direction_of(&session.attributes))
        .unwrap_or(Direction::SendRecv);
    if address.is_unspecified() {
        // RFC 3264, 8.4: the way RFC 2543 held a call. The peer may still send.
        direction = match direction {
            Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        };
    }
    let rtp = (!address.is_unspecified()).then(|| SocketAddr::new(address, media.port));
    Ok(RemoteAudio {
        index,
        rtp,
        rtcp: rtp
            .and(rtcp_port)
            .map(|port| SocketAddr::new(rtcp_address.unwrap_or(address), port)),
        direction,
        codecs: found,
        events,
        numbers: media
            .fmt
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .filter(|number| !is_event(media, *number))
            .collect(),
        wishes,
        ptime_ms: milliseconds(attribute(media, session, "ptime")),
        max_ptime_ms: milliseconds(attribute(media, session, "maxptime")),
        crypto,
        has_crypto,
    })
}

fn crypto_values(media: &Media) -> impl Iterator<Item = &str> {
    media
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case("crypto"))
        .filter_map(|attribute| attribute.value.as_deref())
}

/// The keys of a stream that we can use, or why it cannot be used with or without them. A peer that encrypts when it can
/// gives keys with `RTP/AVP`, one that must with `RTP/SAVP`.
fn read_keys(media: &Media, wanted: Wanted<'_>) -> Result<Vec<CryptoLine>, SdpError> {
    let is = |names: [&str; 2]| {
        names
            .iter()
            .any(|name| media.proto.eq_ignore_ascii_case(name))
    };
    let secure = is(["RTP/SAVP", "RTP/SAVPF"]);
    if !secure && !is(["RTP/AVP", "RTP/AVPF"]) || secure && wanted.encryption == Encryption::Off {
        return Err(SdpError::new(
            SdpErrorKind::UnsupportedTransport,
            format!("audio over {}", media.proto),
        ));
    }
    if wanted.encryption == Encryption::Off {
        return Ok(Vec::new());
    }
    let keys: Vec<CryptoLine> = crypto_values(media)
        .filter_map(read_crypto)
        .filter(|line| wanted.suites.contains(&line.key.suite()))
        .collect();
    if keys.is_empty() && secure {
        return Err(SdpError::new(
            SdpErrorKind::NoCommonCrypto,
            "encrypted audio without a key of a known suite",
        ));
    }
    if keys.is_empty() && wanted.encryption == Encryption::Required {
        return Err(SdpError::new(
            SdpErrorKind::EncryptionMissing,
            "the other side gives no key for encrypted audio, which is required here",
        ));
    }
    Ok(keys)
}

enum Format {
    Speech(Codec),
    /// Key events, with the ticks of their clock in a line sample.
    Events(u32),
}

/// What stands behind a payload type in its `a=fmtp`.
fn parameters_of(media: &Media, payload_type: u8) -> &str {
    let of_type = |attribute: &&Attribute| attribute.attribute.eq_ignore_ascii_case("fmtp");
    let values = media.attributes.iter().filter(of_type);
    values
        .filter_map(|attribute| attribute.value.as_deref()?.trim().split_once(' '))
        .find(|(number, _)| number.parse() == Ok(payload_type))
        .map_or("", |(_, parameters)| parameters)
}

fn map_of(media: &Media, payload_type: u8) -> Option<RtpMap> {
    let mut maps = media.attributes_typed::<RtpMap>().filter_map(Result::ok);
    maps.find(|map| map.payload_type == payload_type)
}

/// Whether a payload type stands for key events, of any clock.
fn is_event(media: &Media, payload_type: u8) -> bool {
    map_of(media, payload_type)
        .is_some_and(|map| map.encoding_name.eq_ignore_ascii_case("telephone-event"))
}

fn format_of(media: &Media, payload_type: u8) -> Option<Format> {
    let Some(map) = map_of(media, payload_type) else {
        return Codec::from_static_payload_type(payload_type).map(Format::Speech);
    };
    let channels = map.encoding_params.as_deref().map(str::trim);
    if map.encoding_name.eq_ignore_ascii_case("telephone-event") {
        let clocks = [1, OPUS_TICKS].into_iter();
        return clocks
            .filter(|_| channels.is_none_or(|channels| channels == "1"))
            .find(|ticks| map.clock_rate == SAMPLE_RATE_HZ * ticks)
            .map(Format::Events);
    }
    let codec = Codec::from_name(&map.encoding_name)?;
    let expected = match codec {
        // RFC 7587, 7: two channels always; some leave them out.
        Codec::Opus => channels.is_none_or(|channels| channels == "2"),
        _ => channels.is_none_or(|channels| channels == "1"),
    };
    (expected && map.clock_rate == codec.clock_hz()).then_some(Format::Speech(codec))
}

fn usable_address(connection: Option<&Connection>) -> Result<IpAddr, SdpError> {
    let fault = |cause: String| SdpError::new(SdpErrorKind::UnusableAddress, cause);
    let connection = connection.ok_or_else(|| fault("there is no connection line".to_owned()))?;
    let address = connection
        .try_address()
        .map_err(|_| {
            fault(format!(
                "{:?} is no IP address",
                connection.connection_address
            ))
        })?
        .ip;
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_multicast() || broadcast {
        return Err(fault(format!("{address} is not one host")));
    }
    Ok(address)
}

fn attribute<'a>(media: &'a Media, session: &'a Session, name: &str) -> Option<&'a str> {
    media
        .attributes
        .iter()
        .chain(&session.attributes)
        .find(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
        .and_then(|attribute| attribute.value.as_deref())
        .map(str::trim)
}

fn direction_of(attributes: &[Attribute]) -> Option<Direction> {
    attributes
        .iter()
        .find_map(|attribute| Direction::from_name(attribute.attribute.trim()))
}

/// `a=ptime` is a decimal number; some phones write `20.0`.
fn milliseconds(value: Option<&str>) -> Option<u32> {
    let whole = value?.split('.').next()?;
    whole.parse().ok().filter(|ms| (1..=1000).contains(ms))
}
