//! What the network does to the packets.

use std::time::Duration;

use audio_codec_algorithms::encode_alaw;

/// Delay of the quickest packet, ms.
pub const LEAST_DELAY_MS: f64 = 30.0;
/// Samples of a packet, 20 ms.
const PACKET: usize = 160;
/// Packets that are still sent after the last word.
const HANGOVER: u32 = 3;

/// A packet as it arrives.
pub struct Packet {
    pub at: Duration,
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
}

/// One network.
pub struct Network {
    pub name: &'static str,
    /// Each packet is late by up to this much, evenly spread, ms.
    jitter_ms: f64,
    /// Every five seconds the network stands still for so long and then gives all at once, ms.
    spike_ms: f64,
    loss_percent: f64,
    /// How much faster the sender's clock is, parts in a million.
    drift_ppm: f64,
    /// The sender sends nothing while nobody speaks, from 60 ms after the last word (silence suppression without comfort noise).
    pauses: bool,
}

const CLEAN: Network = Network {
    name: "clean",
    jitter_ms: 0.0,
    spike_ms: 0.0,
    loss_percent: 0.0,
    drift_ppm: 0.0,
    pauses: false,
};

pub const NETWORKS: [Network; 9] = [
    CLEAN,
    Network {
        name: "jitter-10",
        jitter_ms: 10.0,
        ..CLEAN
    },
    Network {
        name: "jitter-40",
        jitter_ms: 40.0,
        ..CLEAN
    },
    Network {
        name: "jitter-80",
        jitter_ms: 80.0,
        ..CLEAN
    },
    Network {
        name: "spikes",
        spike_ms: 200.0,
        ..CLEAN
    },
    Network {
        name: "loss-1",
        loss_percent: 1.0,
        ..CLEAN
    },
    Network {
        name: "drift+50",
        drift_ppm: 50.0,
        ..CLEAN
    },
    Network {
        name: "drift-50",
        drift_ppm: -50.0,
        ..CLEAN
    },
    Network {
        name: "dtx",
        pauses: true,
        ..CLEAN
    },
];

impl Network {
    /// The packets in the order of their arrival.
    pub fn packets(&self, said: &[i16]) -> Vec<Packet> {
        let mut state = 0x5eed_u64;
        // Knuth's MMIX generator; the same packets for both buffers, every time.
        let mut chance = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut packets = Vec::new();
        let mut before_was_sent = false;
        let mut quiet = 0;
        let mut sequence = 1000_u16;
        for (number, samples) in said.chunks_exact(PACKET).enumerate() {
            let (late, lost) = (
                chance() * self.jitter_ms,
                chance() * 100.0 < self.loss_percent,
            );
            quiet = if loud(samples) { 0 } else { quiet + 1 };
            let sent = !(self.pauses && quiet > HANGOVER);
            if sent {
                let said_ms = (number + 1) as f64 * 20.0 / (1.0 + self.drift_ppm * 1e-6);
                let mut at_ms = said_ms + LEAST_DELAY_MS + late;
                let into_spike = at_ms % 5000.0;
                if into_spike < self.spike_ms && at_ms > 5000.0 {
                    at_ms += self.spike_ms - into_spike;
                }
                if !lost {
                    packets.push(Packet {
                        at: Duration::from_secs_f64(at_ms / 1000.0),
                        sequence,
                        timestamp: 4000 + (number * PACKET) as u32,
                        marker: !before_was_sent,
                        payload: samples.iter().map(|sample| encode_alaw(*sample)).collect(),
                    });
                }
                sequence = sequence.wrapping_add(1);
            }
            before_was_sent = sent;
        }
        packets.sort_by_key(|packet| packet.at);
        packets
    }
}

/// Whether somebody speaks in a packet: more than -45 dBm0.
fn loud(samples: &[i16]) -> bool {
    let square: f64 = samples
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum();
    square / samples.len() as f64 > 90.0_f64.powi(2)
}
