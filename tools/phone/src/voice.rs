//! A speaking machine: vowels between pauses, so that demo and tests have speech of their own on
//! a machine without any. Two formant resonators over a buzzing source, after the textbook model
//! of the vocal tract (Fant 1960).

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A deep voice.
    Visitor,
    /// A high voice.
    Resident,
    /// One between the two.
    Technician,
}

const RATE: f32 = 8000.0;
/// First and second formants of vowels, in hertz.
const VOWELS: [(f32, f32); 6] = [
    (730.0, 1090.0),
    (270.0, 2290.0),
    (300.0, 870.0),
    (530.0, 1840.0),
    (570.0, 840.0),
    (660.0, 1720.0),
];

struct Resonator {
    y1: f32,
    y2: f32,
}

impl Resonator {
    fn run(&mut self, x: f32, frequency: f32, bandwidth: f32) -> f32 {
        let r = (-std::f32::consts::PI * bandwidth / RATE).exp();
        let a = 2.0 * r * (std::f32::consts::TAU * frequency / RATE).cos();
        let y = x * (1.0 - r) + a * self.y1 - r * r * self.y2;
        (self.y2, self.y1) = (self.y1, y);
        y
    }
}

/// Speech of `milliseconds` at 8 kHz, peaks near -9 dBFS. The same speaker always says the same.
pub fn speak(speaker: Speaker, milliseconds: u32) -> Vec<i16> {
    // Voices an octave apart share their harmonics and are too alike to be told apart by correlation.
    let (pitch, mut state) = match speaker {
        Speaker::Visitor => (105.0_f32, 0x2545_f491_u32),
        Speaker::Resident => (173.0, 0x9e37_79b9),
        Speaker::Technician => (134.0, 0x7f4a_7c15),
    };
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let total = milliseconds as usize * 8;
    let mut out = Vec::with_capacity(total);
    let (mut first, mut second) = (
        Resonator { y1: 0.0, y2: 0.0 },
        Resonator { y1: 0.0, y2: 0.0 },
    );
    let mut phase = 0.0_f32;
    while out.len() < total {
        let (f1, f2) = VOWELS[random() as usize % VOWELS.len()];
        let length = (1200 + random() % 1200) as usize;
        let pause = if random().is_multiple_of(4) {
            1600
        } else {
            240
        };
        let glide = 1.0 + (random() % 30) as f32 / 100.0;
        for n in 0..length + pause {
            let position = n as f32 / length as f32;
            let envelope = if n < length {
                (std::f32::consts::PI * position).sin().max(0.0)
            } else {
                0.0
            };
            phase = (phase + pitch * (1.0 + (glide - 1.0) * position.min(1.0)) / RATE) % 1.0;
            let buzz = (1.0 - 2.0 * phase) * envelope;
            let noise = (random() % 2000) as f32 / 1000.0 - 1.0;
            let source = buzz + 0.05 * noise * envelope;
            let sound = first.run(source, f1, 80.0) + 0.7 * second.run(source, f2, 110.0);
            out.push(sound);
        }
    }
    out.truncate(total);
    let peak = out
        .iter()
        .fold(1e-6_f32, |peak, sample| peak.max(sample.abs()));
    out.into_iter()
        .map(|sample| (sample / peak * 11_600.0) as i16)
        .collect()
}
