//! Settings of sound, records and the ways in for people.

use super::Fallback::{Literal, None as Unset};
use super::{Kind, Section, int, key};

pub(super) const MEDIA: Section = Section {
    name: "media",
    many: false,
    doc: "Audio over RTP.",
    keys: &[
        key(
            "rtp_port_first",
            int(1_024, 65_534),
            Literal("16384"),
            "First UDP port for RTP; even. Each call takes two ports.",
        ),
        key(
            "rtp_port_last",
            int(1_025, 65_535),
            Literal("16399"),
            "Last UDP port for RTP.",
        ),
        key(
            "codecs",
            Kind::TextList,
            Literal("[\"pcma\", \"pcmu\", \"g722\"]"),
            "Codecs in order of preference: pcma and pcmu (G.711), g722, opus (only in builds with the feature opus).",
        ),
        key(
            "crypto_suites",
            Kind::TextList,
            Literal(
                "[\"AES_CM_128_HMAC_SHA1_80\", \"AES_256_CM_HMAC_SHA1_80\", \"AES_CM_128_HMAC_SHA1_32\"]",
            ),
            "What SRTP encrypts with, in order of preference, for accounts with media_encryption; AES_256_CM_HMAC_SHA1_32 is known too.",
        ),
        key(
            "ptime_ms",
            int(10, 60),
            Literal("20"),
            "Packet length sent, in milliseconds; a multiple of 10.",
        ),
        key(
            "telephone_event_payload_type",
            int(96, 127),
            Literal("101"),
            "RTP payload type offered for RFC 4733 key events.",
        ),
        key(
            "unnegotiated_events",
            Kind::Bool,
            Literal("true"),
            "Whether key events (RFC 4733) are taken on telephone_event_payload_type although the other side did not agree to them, as some PBXs and phones send them; only from where the call's sound has to come.",
        ),
        key(
            "dscp",
            int(0, 63),
            Literal("46"),
            "Mark of RTP and RTCP packets for the network (DSCP): 46 is EF, 0 leaves them unmarked.",
        ),
        key(
            "gain_to_line_db",
            int(-20, 20),
            Literal("0"),
            "Gain of the resident's voice on its way to the line, in decibels; a limiter follows.",
        ),
        key(
            "gain_to_phone_db",
            int(-20, 20),
            Literal("0"),
            "Gain of the visitor's voice on its way to the phone, in decibels; a limiter follows.",
        ),
        key(
            "echo_control",
            Kind::OneOf(&["full", "linear", "off"]),
            Literal("\"full\""),
            "Echo of the phone's voice from the two-wire line: full cancels it and suppresses what is left and steady noise (7 ms of delay); linear only cancels; off leaves it.",
        ),
        key(
            "echo_paths_file",
            Kind::Path,
            Literal("\"/var/lib/trubka/echo-paths\""),
            "File in which what was learned of each apartment's echo outlives a restart, so that the first word of a call is free of it.",
        ),
        key(
            "echo_tail_ms",
            int(16, 256),
            Literal("64"),
            "Longest echo path that is cancelled, in milliseconds; longer ones cost more processor time.",
        ),
    ],
};

pub(super) const HEADSET: Section = Section {
    name: "headset",
    many: false,
    doc: "A headset on the box, with which a technician listens to a line's calls and speaks in them: trubka headset.",
    keys: &[
        key(
            "capture",
            Kind::Text,
            Unset,
            "ALSA name of its microphone, for example \"plughw:CARD=Headset\" (arecord -L lists them); left out, there is no headset.",
        ),
        key(
            "playback",
            Kind::Text,
            Unset,
            "ALSA name of its earpiece (aplay -L lists them).",
        ),
        key(
            "capture_channel",
            int(0, 7),
            Literal("0"),
            "Channel of capture, from 0 (left).",
        ),
        key(
            "playback_channel",
            int(0, 7),
            Literal("0"),
            "Channel of playback, from 0 (left).",
        ),
        key(
            "rate_hz",
            int(8_000, 48_000),
            Literal("48000"),
            "Sample rate at which the devices are opened: 8000, 16000 or 48000.",
        ),
        key(
            "delay_ms",
            int(15, 200),
            Literal("30"),
            "Sound that is kept between the headset and the line, each way, in milliseconds; it grows by itself where a device needs more.",
        ),
        key(
            "limit_s",
            int(10, 86_400),
            Literal("900"),
            "The headset leaves the line by itself after so many seconds: a forgotten one does not listen for ever.",
        ),
    ],
};

pub(super) const JOURNAL: Section = Section {
    name: "journal",
    many: false,
    doc: "The record of every opening and refusal.",
    keys: &[
        key(
            "path",
            Kind::Path,
            Literal("\"/var/lib/trubka/journal.sqlite\""),
            "SQLite file of the journal.",
        ),
        key(
            "open_wait_ms",
            int(10, 2_000),
            Literal("250"),
            "How long an authorised opening waits for the disk before it goes ahead without it, in milliseconds.",
        ),
        key(
            "syslog_socket",
            Kind::Path,
            Literal("\"/dev/log\""),
            "Socket of the system log, which takes the records that the disk could not.",
        ),
        key(
            "keep_days",
            int(1, 3_650),
            Literal("365"),
            "Records older than this are removed.",
        ),
    ],
};

pub(super) const CONTROL: Section = Section {
    name: "control",
    many: false,
    doc: "The local control socket, used by the trubka command and the console.",
    keys: &[key(
        "socket",
        Kind::Path,
        Literal("\"/run/trubka/control.sock\""),
        "Path of the socket; only its owner and group may use it.",
    )],
};

pub(super) const CONSOLE: Section = Section {
    name: "console",
    many: false,
    doc: "The serial console.",
    keys: &[
        key(
            "device",
            Kind::Path,
            Unset,
            "Serial device, for example /dev/ttyS0; left out, there is no console.",
        ),
        key(
            "baud",
            int(1_200, 4_000_000),
            Literal("115200"),
            "Line speed in bits per second, 8N1.",
        ),
        key(
            "password_file",
            Kind::Path,
            Literal("\"/var/lib/trubka/console.password\""),
            "File with the salted hash of the console password; the first login sets it.",
        ),
        key(
            "idle_logout_s",
            int(30, 86_400),
            Literal("600"),
            "Seconds without a key after which the console logs out.",
        ),
    ],
};

pub(super) const TRACE: Section = Section {
    name: "trace",
    many: false,
    doc: "Recording what goes over the network, for diagnosis.",
    keys: &[
        key(
            "pcap",
            Kind::Path,
            Unset,
            "File for a capture of SIP and RTP with secrets removed, for trubka sip trace FILE or Wireshark; left out, nothing is captured. SIP over TCP and TLS is written as UDP, decrypted.",
        ),
        key(
            "pcap_limit_kib",
            int(64, 1_048_576),
            Literal("16384"),
            "The capture stops at this size, in KiB.",
        ),
        key(
            "pcap_limit_s",
            int(10, 2_592_000),
            Literal("3600"),
            "The capture stops after this time, in seconds.",
        ),
        key(
            "pcap_rtp",
            Kind::OneOf(&["headers", "all", "none"]),
            Literal("\"headers\""),
            "What the capture holds of RTP: headers, enough to see loss and jitter; all, which records what people say and which keys they press; or none.",
        ),
    ],
};
