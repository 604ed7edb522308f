//! Finding and stopping acoustic feedback between a loudspeaker and a microphone.
//!
//! Feedback is a single tone without harmonics that grows steadily, turn after turn of the loop. Speech has harmonics and
//! moves; the tones of panels and PBXs and the tones of keys begin at their full level. So a peak counts only when it stands
//! far above its neighbours and its harmonics and has grown by several dB over many frames at one frequency.

use std::sync::LazyLock;

use realfft::num_complex::Complex32;

use crate::SAMPLE_RATE_HZ;
use crate::sample::{finite, square_sum, sum};
use crate::spectrum::Fft;

/// Samples in a frame, 32 ms, and between frames, 16 ms.
const FRAME: usize = 256;
const HOP: usize = 128;
const BINS: usize = FRAME / 2 + 1;
/// Lowest and highest bin looked at: 187 Hz to 3.8 kHz.
const FIRST: usize = 6;
const LAST: usize = 121;
/// Weakest peak that counts, and the share of all power that it must hold.
const FAINTEST: f32 = 1e-7;
const SHARE: f32 = 0.15;
/// Frames over which a peak must have grown (190 ms).
const GROWTH_FRAMES: usize = 12;
/// Below this, Hz, the pitch of a voice may swell like feedback: there only a stuck tone counts.
const VOICE_HZ: f32 = 340.0;
/// How far its frequency may wander meanwhile, Hz. Feedback stays where the loop is in phase; no voice holds a note so still.
const WANDER_HZ: f32 = 5.0;
/// How much it must have grown by then, and how much one frame may add at most, dB.
const GROWTH_DB: f32 = 3.5;
const LARGEST_STEP_DB: f32 = 5.0;
/// Level from which a still tone counts without growing, dB relative to a full-scale sine.
const STUCK_DB: f32 = -6.0;
/// Peaks followed at once.
const TRACKS: usize = 8;
/// Notches at once.
const NOTCHES: usize = 6;
/// A notch is tried without after this long, samples (20 s).
const NOTCH_LIFE: u32 = 160_000;

/// Raised cosine, for all calls.
static WINDOW: LazyLock<[f32; FRAME]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let phase = std::f32::consts::TAU * (n as f32 + 0.5) / FRAME as f32;
        0.5 - 0.5 * phase.cos()
    })
});

/// A feedback tone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Howl {
    /// Its frequency, Hz, good to about 3 Hz.
    pub hz: f32,
    /// Its power relative to a full-scale sine, dB.
    pub level_db: f32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Track {
    hz: f32,
    levels: [f32; GROWTH_FRAMES],
    places: [f32; GROWTH_FRAMES],
    frames: usize,
    missed: u32,
}

/// Looks for feedback in an 8 kHz stream, in blocks of any size.
#[derive(Debug, Clone)]
pub struct HowlDetector {
    fft: Fft,
    input: [f32; FRAME],
    filled: usize,
    tracks: [Track; TRACKS],
    found: Option<Howl>,
}

impl Default for HowlDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl HowlDetector {
    /// A detector that has heard nothing.
    pub fn new() -> HowlDetector {
        HowlDetector {
            fft: Fft::new(FRAME),
            input: [0.0; FRAME],
            filled: FRAME - HOP,
            tracks: [Track::default(); TRACKS],
            found: None,
        }
    }

    /// Takes samples.
    pub fn process(&mut self, samples: &[f32]) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.until_look()));
            let slots = &mut self.input[self.filled..self.filled + now.len()];
            for (slot, sample) in slots.iter_mut().zip(now) {
                *slot = finite(*sample).clamp(-4.0, 4.0);
            }
            self.filled += now.len();
            if self.filled == FRAME {
                self.look();
                self.input.copy_within(HOP.., 0);
                self.filled = FRAME - HOP;
            }
            rest = later;
        }
    }

    /// Samples until it looks, at least one.
    fn until_look(&self) -> usize {
        FRAME - self.filled
    }

    /// The newest feedback found, once.
    pub fn take(&mut self) -> Option<Howl> {
        self.found.take()
    }

    fn look(&mut self) {
        for track in &mut self.tracks {
            track.missed += 1;
        }
        let mut framed = [0.0; FRAME];
        for ((slot, x), weight) in framed.iter_mut().zip(&self.input).zip(&*WINDOW) {
            *slot = x * weight;
        }
        // By Parseval no bin can hold more than this.
        if square_sum(&framed) * (8.0 / FRAME as f32) >= FAINTEST {
            self.look_at(&framed);
        }
        for track in &mut self.tracks {
            if track.missed > 2 {
                *track = Track::default();
            }
        }
    }

    fn look_at(&mut self, framed: &[f32; FRAME]) {
        let mut spectrum = [Complex32::default(); BINS];
        self.fft.forward(framed, &mut spectrum);
        let mut power = [0.0; BINS];
        for (slot, x) in power.iter_mut().zip(&spectrum) {
            // A full-scale sine has the power 1.
            *slot = x.norm_sqr() * (16.0 / (FRAME * FRAME) as f32) + 1e-12;
        }
        // No peak counts that holds less than a good part of all.
        let least = (SHARE * sum(&power)).max(FAINTEST);
        for bin in FIRST..LAST {
            if power[bin] > least && stands_out(&power, bin) {
                self.follow(&power, bin);
            }
        }
    }

    fn follow(&mut self, power: &[f32; BINS], bin: usize) {
        let hz = (bin as f32 + offset(power, bin)) * SAMPLE_RATE_HZ / FRAME as f32;
        let level = decibels(power[bin]);
        let known = self
            .tracks
            .iter()
            .position(|track| track.frames > 0 && (track.hz - hz).abs() < 15.0)
            .or_else(|| self.tracks.iter().position(|track| track.frames == 0));
        let Some(track) = known.and_then(|index| self.tracks.get_mut(index)) else {
            return;
        };
        if track.frames > 0 && level - track.levels[GROWTH_FRAMES - 1] > LARGEST_STEP_DB {
            // It jumped: a tone that was switched on, not one that grew.
            *track = Track::default();
        }
        track.hz = if track.frames == 0 {
            hz
        } else {
            0.8 * track.hz + 0.2 * hz
        };
        track.levels.rotate_left(1);
        track.levels[GROWTH_FRAMES - 1] = level;
        track.places.rotate_left(1);
        track.places[GROWTH_FRAMES - 1] = hz;
        track.frames += 1;
        track.missed = 0;
        if track.frames < GROWTH_FRAMES {
            return;
        }
        let grown = level - track.levels[0];
        let rising = track
            .levels
            .windows(2)
            .filter(|pair| pair[1] > pair[0] - 0.5)
            .count();
        let highest = track.places.iter().fold(0.0_f32, |a, b| a.max(*b));
        let lowest = track.places.iter().fold(f32::MAX, |a, b| a.min(*b));
        let still = highest - lowest <= WANDER_HZ;
        let grew = track.hz > VOICE_HZ
            && grown >= GROWTH_DB
            && rising >= GROWTH_FRAMES - 2
            && level > -50.0;
        // A loop that has run into its limit no longer grows; no tone of a network is that loud.
        let stuck = level > STUCK_DB && track.frames >= 2 * GROWTH_FRAMES;
        if still && (grew || stuck) {
            // If it is still there a while later, the notch was too narrow: it is reported again.
            track.frames = 1;
            self.found = Some(Howl {
                hz: track.hz,
                level_db: level,
            });
        }
    }
}

/// A peak far above what is beside it and above its harmonics.
fn stands_out(power: &[f32; BINS], bin: usize) -> bool {
    let peak = power[bin];
    if peak < power[bin - 1] || peak <= power[bin + 1] {
        return false;
    }
    let at = |bin: usize| power.get(bin).copied().unwrap_or(0.0);
    let neighbours = at(bin - 4)
        .max(at(bin + 4))
        .max(at(bin - 5))
        .max(at(bin + 5));
    let around = |bin: usize| at(bin.saturating_sub(1)).max(at(bin)).max(at(bin + 1));
    // The third harmonic is left out: a loop in its limit has one; a voice has the second as well.
    let harmonics = around(2 * bin).max(around(bin / 2));
    peak > 10.0 * neighbours && peak > 30.0 * harmonics
}

/// Where between the bins the peak lies, from the logarithms of the three values around it.
fn offset(power: &[f32; BINS], bin: usize) -> f32 {
    let (a, b, c) = (
        decibels(power[bin - 1]),
        decibels(power[bin]),
        decibels(power[bin + 1]),
    );
    let curve = a - 2.0 * b + c;
    if curve.abs() < 1e-6 {
        0.0
    } else {
        (0.5 * (a - c) / curve).clamp(-0.5, 0.5)
    }
}

fn decibels(power: f32) -> f32 {
    10.0 * power.max(1e-12).log10()
}

/// A detector with the notches that stop what it finds. No delay.
#[derive(Debug, Clone)]
pub struct HowlGuard {
    detector: HowlDetector,
    notches: [Notch; NOTCHES],
    stopped: u64,
}

impl Default for HowlGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl HowlGuard {
    /// A guard without notches.
    pub fn new() -> HowlGuard {
        HowlGuard {
            detector: HowlDetector::new(),
            notches: [Notch::default(); NOTCHES],
            stopped: 0,
        }
    }

    /// Takes feedback out of a block.
    pub fn process(&mut self, samples: &mut [f32]) {
        // Nothing beyond 12 dB over full scale, which no notch has to ring with.
        for sample in samples.iter_mut() {
            *sample = finite(*sample).clamp(-4.0, 4.0);
        }
        // In pieces that end where the detector looks, so that a notch begins at the same sample in blocks of any size.
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at_mut(rest.len().min(self.detector.until_look()));
            self.detector.process(now);
            for notch in self.notches.iter_mut().filter(|notch| notch.left > 0) {
                let length = now.len().min(notch.left as usize);
                for sample in now.iter_mut().take(length) {
                    *sample = notch.next(*sample);
                }
                notch.left -= length as u32;
            }
            if let Some(howl) = self.detector.take() {
                self.stopped += 1;
                self.set(howl.hz);
            }
            rest = later;
        }
    }

    /// How many times a notch was set.
    pub fn stopped(&self) -> u64 {
        self.stopped
    }

    fn set(&mut self, hz: f32) {
        // The same place again: wider. Otherwise the notch that has least time left.
        let near = self
            .notches
            .iter()
            .position(|n| n.left > 0 && (n.hz - hz).abs() < 40.0);
        let index = near.or_else(|| (0..NOTCHES).min_by_key(|index| self.notches[*index].left));
        if let Some(notch) = index.and_then(|index| self.notches.get_mut(index)) {
            let width = if near.is_some() {
                (notch.width_hz * 2.0).min(160.0)
            } else {
                40.0
            };
            *notch = Notch::new(hz, width);
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Notch {
    hz: f32,
    width_hz: f32,
    left: u32,
    twice_cosine: f32,
    pole: f32,
    gain: f32,
    input: [f32; 2],
    output: [f32; 2],
}

impl Notch {
    fn new(hz: f32, width_hz: f32) -> Notch {
        let angle = std::f32::consts::TAU * hz / SAMPLE_RATE_HZ;
        let pole = 1.0 - std::f32::consts::PI * width_hz / SAMPLE_RATE_HZ;
        let twice_cosine = 2.0 * angle.cos();
        // Unity at 0 Hz.
        let gain = (1.0 - pole * twice_cosine + pole * pole) / (2.0 - twice_cosine);
        Notch {
            hz,
            width_hz,
            left: NOTCH_LIFE,
            twice_cosine,
            pole,
            gain,
            ..Notch::default()
        }
    }

    fn next(&mut self, x: f32) -> f32 {
        let ahead = x - self.twice_cosine * self.input[0] + self.input[1];
        let y = self.gain * ahead
            + self.pole * (self.twice_cosine * self.output[0] - self.pole * self.output[1]);
        let y = if y.abs() < 1e-15 { 0.0 } else { finite(y) };
        self.input = [x, self.input[0]];
        self.output = [y, self.output[0]];
        y
    }
}
