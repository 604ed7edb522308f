//! Fuzz targets: each takes any bytes and panics if a promise breaks. Two drivers run them: the tests of this
//! crate, deterministic mutations for a bounded time on the stable compiler, and `guided/`, cargo-fuzz with
//! coverage, for as long as one likes (`tests/fuzz/run`).
//!
//! Seeds are files in `seeds/<target>/`. An input that once broke something stays there for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod border;
mod dialog;
mod media_side;
pub mod mutate;
mod sip_side;
mod sound;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name, also of its folder of seeds.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("sip_message", sip_side::message),
    target("sip_stream", sip_side::stream),
    target("sip_dialog", dialog::run),
    target("sdp", media_side::sdp),
    target("rtp", media_side::rtp),
    target("opus", media_side::opus),
    target("srtp", media_side::srtp),
    target("rtcp", media_side::rtcp),
    target("stun", media_side::stun),
    target("keys", media_side::keys),
    target("tones", media_side::tones),
    target("sound_chain", sound::chain),
    target("card_frames", border::card_frames),
    target("config", border::config),
    target("control", border::control),
    target("console", border::console),
    target("wav", border::wav),
    target("capture", border::capture),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The target of that name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
