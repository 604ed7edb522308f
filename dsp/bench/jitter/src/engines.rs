//! The buffers behind one face.

use std::net::SocketAddr;
use std::time::Duration;

use audio_codec_algorithms::decode_alaw;
use media::{Codec, Session, SessionConfig};
use neteq::codec::AudioDecoder;
use neteq::{AudioPacket, NetEq, NetEqConfig, RtpHeader};

use crate::BLOCK_SAMPLES;
use crate::network::Packet;

const PCMA: u8 = 8;
const SSRC: u32 = 77;

/// A jitter buffer with its decoder and its concealment.
pub trait Buffer {
    fn insert(&mut self, packet: &Packet);
    fn pull(&mut self, now: Duration) -> Vec<i16>;
    /// Sound that waits, ms.
    fn held_ms(&self) -> f64;
    /// Sound made up so far, ms.
    fn concealed_ms(&self) -> f64;
}

/// Ours, as a call has it.
pub struct Ours {
    session: Session,
    peer: SocketAddr,
}

impl Ours {
    pub fn new() -> Ours {
        let (local, peer) = (([127, 0, 0, 1], 4000).into(), ([127, 0, 0, 2], 4000).into());
        let config = |address| SessionConfig {
            codecs: vec![Codec::Pcma],
            ..SessionConfig::new(address)
        };
        let mut session = Session::new(config(local), [1; 32]);
        let mut other = Session::new(config(peer), [2; 32]);
        let offer = session.create_offer();
        let answer = other
            .answer_offer(Duration::ZERO, &offer)
            .expect("an answer");
        session
            .accept_answer(Duration::ZERO, &answer)
            .expect("agreement");
        session.start(Duration::ZERO);
        Ours { session, peer }
    }
}

impl Buffer for Ours {
    fn insert(&mut self, packet: &Packet) {
        let mut bytes = vec![0x80, PCMA | u8::from(packet.marker) << 7];
        bytes.extend(packet.sequence.to_be_bytes());
        bytes.extend(packet.timestamp.to_be_bytes());
        bytes.extend(SSRC.to_be_bytes());
        bytes.extend(&packet.payload);
        self.session.handle_rtp(packet.at, self.peer, &bytes);
    }

    fn pull(&mut self, now: Duration) -> Vec<i16> {
        let mut block = [0; BLOCK_SAMPLES];
        self.session.pull_audio(now, &mut block);
        block.to_vec()
    }

    fn held_ms(&self) -> f64 {
        f64::from(self.session.stats().held_ms)
    }

    fn concealed_ms(&self) -> f64 {
        self.session.stats().concealed_ms as f64
    }
}

/// The crate, with its defaults at our rate.
pub struct Neteq(NetEq);

struct Alaw;

impl AudioDecoder for Alaw {
    fn sample_rate(&self) -> u32 {
        8000
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        Ok(encoded
            .iter()
            .map(|byte| f32::from(decode_alaw(*byte)) / 32_768.0)
            .collect())
    }
}

impl Neteq {
    pub fn new() -> Neteq {
        let config = NetEqConfig {
            sample_rate: 8000,
            ..NetEqConfig::default()
        };
        let mut neteq = NetEq::new(config).expect("neteq");
        neteq.register_decoder(PCMA, Box::new(Alaw));
        Neteq(neteq)
    }
}

impl Buffer for Neteq {
    fn insert(&mut self, packet: &Packet) {
        let header = RtpHeader::new(packet.sequence, packet.timestamp, SSRC, PCMA, packet.marker);
        let packet = AudioPacket::new(header, packet.payload.clone(), 8000, 1, 20);
        self.0.insert_packet(packet).expect("a packet");
    }

    fn pull(&mut self, _now: Duration) -> Vec<i16> {
        let frame = self.0.get_audio().expect("a frame");
        frame
            .samples
            .iter()
            .map(|s| (s.clamp(-1.0, 1.0) * 32_767.0) as i16)
            .collect()
    }

    fn held_ms(&self) -> f64 {
        f64::from(self.0.current_buffer_size_ms())
    }

    fn concealed_ms(&self) -> f64 {
        self.0.get_statistics().lifetime.concealed_samples as f64 / 8.0
    }
}
