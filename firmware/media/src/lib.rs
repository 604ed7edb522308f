//! The media session of a call, without I/O: offer/answer, RTP and RTCP, SRTP, the codecs, key presses and the jitter buffer.
//!
//! A [`Session`] owns no socket, clock or thread. Datagrams, 10 ms blocks of line audio and `now` (a
//! [`std::time::Duration`] since an epoch of the caller's choice) go in; datagrams to send, [`MediaEvent`]s and the next
//! deadline come out. `docs/reference/media.md` describes the behaviour on the wire.
//!
//! ```
//! use std::time::Duration;
//! use trubka_media::{Session, SessionConfig};
//!
//! let mut caller = Session::new(SessionConfig::new(([127, 0, 0, 1], 4000).into()), [1; 32]);
//! let mut callee = Session::new(SessionConfig::new(([127, 0, 0, 2], 4000).into()), [2; 32]);
//! let offer = caller.create_offer();
//! let answer = callee.answer_offer(Duration::ZERO, &offer)?;
//! caller.accept_answer(Duration::ZERO, &answer)?;
//! # Ok::<(), trubka_media::SdpError>(())
//! ```

mod codec;
mod config;
mod digits;
mod error;
mod event;
mod jitter;
mod port_map;
mod quality;
mod rtcp;
mod rtp;
mod sdp;
mod session;
mod srtp;
mod stats;
mod stun;

pub use codec::Codec;
pub use config::{InbandKeys, JitterConfig, SessionConfig};
pub use error::{MediaError, MediaErrorKind, SdpError, SdpErrorKind};
pub use event::{DigitSource, MediaEvent, MediaTransmit, TransmitKind};
pub use port_map::PortMap;
pub use quality::{CallQuality, mos_of_rating};
pub use session::Session;
pub use srtp::{CryptoSuite, Encryption};
pub use stats::{DigitMode, DropCounts, MediaStats};
pub use stun::{StunClient, StunOutcome};

/// Samples per second on the line and in G.711.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// Samples in one 10 ms block.
pub const BLOCK_SAMPLES: usize = 80;
