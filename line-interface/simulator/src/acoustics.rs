//! Who speaks and who hears: the panel's microphone and loudspeaker, the resident at the old
//! handset, and the card's codec. The same for every kind of line.

use std::collections::VecDeque;
use std::sync::Arc;

use line_interface::SAMPLE_RATE_HZ;

use crate::circuit::OFF_HOOK_OHMS;
use crate::panel::{Oscillator, PanelAudio, PanelSpec};

/// Current of a handset's or our off-hook load at full scale of the audio.
pub(crate) const SINK_AMPS: f32 = 0.015;
/// Codec input at full scale.
const CODEC_VOLTS: f32 = 2.5;
/// The part of our own signal that our hybrid takes out of the codec input: 20 dB.
const CARD_BALANCE: f32 = 0.9;
/// Our hybrid is built for a cable of this resistance.
const NOMINAL_CABLE_OHMS: f32 = 15.0;
/// Corner of the couplings: about 40 Hz.
const COUPLING: f32 = 0.031;
/// What the visitor heard is kept for this long until it is drained.
const MAX_HEARD: usize = 30 * 60 * SAMPLE_RATE_HZ as usize;
/// Level of the panel's own tones in its loudspeaker.
const TONE_LEVEL: f32 = 0.2;
const RING_BACK_HZ: f32 = 425.0;
/// Recordings that may wait.
const MAX_QUEUE: usize = 64;

/// A capacitor in the audio path: takes the DC away.
#[derive(Debug, Clone, Copy, Default)]
struct Coupling(f32);

impl Coupling {
    fn pass(&mut self, v: f32) -> f32 {
        let out = v - self.0;
        self.0 += COUPLING * out;
        out
    }
}

/// Somebody's words, queued.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    queue: VecDeque<Arc<[i16]>>,
    at: usize,
}

impl Voice {
    pub(crate) fn say(&mut self, samples: Arc<[i16]>) {
        if self.queue.len() < MAX_QUEUE && !samples.is_empty() {
            self.queue.push_back(samples);
        }
    }

    fn next(&mut self) -> f32 {
        let Some(front) = self.queue.front() else {
            return 0.0;
        };
        let v = front.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        if self.at >= front.len() {
            self.queue.pop_front();
            self.at = 0;
        }
        f32::from(v) / 32768.0
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.at = 0;
    }
}

/// Figures of the sound on one pair.
#[derive(Debug, Clone, Copy)]
struct Figures {
    microphone_volts: f32,
    tone_volts: f32,
    loudspeaker_volts: f32,
    /// The part of its own microphone that the panel's hybrid lets through.
    hybrid: f32,
    acoustic: f32,
    /// What of the panel's own signal is left at its terminals under an off-hook load.
    panel_keep: f32,
    /// Our own signal behind our hybrid, which balances against the nominal line, so real parts
    /// spoil it a little.
    card_own: f32,
}

/// What is heard and said on one line.
#[derive(Debug)]
pub(crate) struct Acoustics {
    figures: Figures,
    pub(crate) visitor: Voice,
    pub(crate) resident: Voice,
    tone: Oscillator,
    codec: Coupling,
    panel: Coupling,
    /// The way from loudspeaker to microphone through the air.
    air: VecDeque<f32>,
    heard: VecDeque<i16>,
    /// The present sample's tone, and the panel's signal.
    sounding: f32,
    own: f32,
}

impl Acoustics {
    /// Silence at a panel behind `ohms` and a cable.
    pub(crate) fn new(panel: &PanelSpec, ohms: f32, cable_ohms: f32) -> Self {
        let audio = &panel.audio;
        let delay = audio.acoustic_delay_ms.value as usize * SAMPLE_RATE_HZ as usize / 1000;
        let below = |db: f32| 10_f32.powf(-db / 20.0);
        let figures = Figures {
            microphone_volts: audio.microphone_volts.value,
            tone_volts: audio.tone_volts.value,
            loudspeaker_volts: audio.loudspeaker_volts.value,
            hybrid: below(audio.hybrid_loss_db.value),
            acoustic: below(audio.acoustic_loss_db.value),
            panel_keep: (cable_ohms + OFF_HOOK_OHMS) / (ohms + cable_ohms + OFF_HOOK_OHMS),
            card_own: CARD_BALANCE * SINK_AMPS * parallel(ohms + NOMINAL_CABLE_OHMS, OFF_HOOK_OHMS),
        };
        Self {
            figures,
            visitor: Voice::default(),
            resident: Voice::default(),
            tone: Oscillator::default(),
            codec: Coupling::default(),
            panel: Coupling::default(),
            air: vec![0.0; delay.max(1)].into(),
            heard: VecDeque::new(),
            sounding: 0.0,
            own: 0.0,
        }
    }

    /// Volts that the panel adds to its feed in this sample.
    pub(crate) fn speak(&mut self, audio: &PanelAudio) -> f32 {
        let f = &self.figures;
        self.sounding = audio.tone_hz.map_or(0.0, |hz| self.tone.sine(hz));
        let microphone = if audio.talk {
            self.visitor.next() + self.air.front().copied().unwrap_or(0.0) * f.acoustic
        } else {
            0.0
        };
        self.own = microphone * f.microphone_volts + self.sounding * f.tone_volts;
        self.own
    }

    /// Current that the resident at the old handset adds in this sample.
    pub(crate) fn resident_amps(&mut self) -> f32 {
        self.resident.next() * SINK_AMPS
    }

    /// What the panel's terminals show in this sample goes to its loudspeaker.
    pub(crate) fn listen(&mut self, audio: &PanelAudio, panel_volts: f32) {
        let f = &self.figures;
        let ac = self.panel.pass(panel_volts);
        let line = (ac - self.own * f.panel_keep * (1.0 - f.hybrid)) / f.loudspeaker_volts;
        let speaker = if audio.talk {
            line + self.sounding * TONE_LEVEL
        } else if audio.ring_back {
            self.tone.sine(RING_BACK_HZ) * TONE_LEVEL
        } else {
            self.sounding * TONE_LEVEL
        };
        let speaker = speaker.clamp(-1.0, 1.0);
        self.air.pop_front();
        self.air.push_back(speaker);
        if self.heard.len() >= MAX_HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back((speaker * 32767.0) as i16);
    }

    /// What our codec reads in this sample, while we put `ours` (full scale 1) on the line.
    pub(crate) fn codec(&mut self, line_volts: f32, ours: f32) -> i16 {
        let input = self.codec.pass(line_volts) + ours * self.figures.card_own;
        ((input / CODEC_VOLTS).clamp(-1.0, 1.0) * 32767.0) as i16
    }

    /// What the loudspeaker played since the last call.
    pub(crate) fn heard(&mut self) -> Vec<i16> {
        self.heard.drain(..).collect()
    }
}

fn parallel(a: f32, b: f32) -> f32 {
    a * b / (a + b)
}
