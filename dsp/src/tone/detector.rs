//! Finding call-progress and panel tones: one or two known frequencies, with or without a cadence.

use std::collections::VecDeque;

use super::GoertzelBank;
use super::generator::Cadence;
use crate::SAMPLE_RATE_HZ;
use crate::sample::{finite, rms_of_dbm0};

/// Samples between looks, 10 ms.
const HOP: usize = 80;
/// Samples in a look, 20 ms.
const WINDOW: usize = 2 * HOP;
/// Looks in a row that begin or end a tone.
const SURE: u32 = 3;
/// Events waiting at most.
const MAX_EVENTS: usize = 32;
/// Share of the energy the tone must have.
const PURITY: f32 = 0.6;

/// A tone to look for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToneSpec {
    /// One or two frequencies, Hz; 0 for none.
    pub hz: [f32; 2],
    /// Deviation of each that is accepted, Hz, at most 20.
    pub tolerance_hz: f32,
    /// Least level of each, dBm0.
    pub least_dbm0: f32,
    /// Least time the tone must sound to be reported, ms.
    pub least_ms: u32,
    /// The cadence, for [`ToneEvent::CadenceHeard`].
    pub cadence: Option<Cadence>,
}

impl ToneSpec {
    /// A single frequency with the tolerances of a public network: 15 Hz, -35 dBm0, 60 ms.
    pub fn single(hz: f32) -> ToneSpec {
        ToneSpec {
            hz: [hz, 0.0],
            tolerance_hz: 15.0,
            least_dbm0: -35.0,
            least_ms: 60,
            cadence: None,
        }
    }

    /// The same with a cadence.
    pub fn with_cadence(self, on_ms: u32, off_ms: u32) -> ToneSpec {
        ToneSpec {
            cadence: Some(Cadence { on_ms, off_ms }),
            ..self
        }
    }
}

/// What a detector found; times are good to 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToneEvent {
    /// The tone sounds, for `least_ms` already.
    Started,
    /// It has stopped after this time.
    Stopped {
        /// How long it sounded, ms.
        on_ms: u32,
    },
    /// Two periods in a row kept the cadence. Reported again after a break only.
    CadenceHeard,
}

/// Finds one tone in an 8 kHz stream, in blocks of any size.
#[derive(Debug, Clone)]
pub struct ToneDetector {
    spec: ToneSpec,
    bank: GoertzelBank,
    turns: [(f32, f32); 2],
    parts: [[(f32, f32); 2]; 2],
    energies: [f32; 2],
    last: [(f32, f32); 2],
    part: [f32; HOP],
    filled: usize,
    state: Timer,
    reported: bool,
    periods: u32,
    heard: bool,
    events: VecDeque<ToneEvent>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Timer {
    on: bool,
    /// Looks since the last change, and looks in a row that speak against the state.
    looks: u32,
    against: u32,
}

impl ToneDetector {
    /// A detector for this tone.
    pub fn new(spec: ToneSpec) -> ToneDetector {
        let mut hz = [100.0; 8];
        hz[0] = spec.hz[0];
        hz[1] = if spec.hz[1] > 0.0 {
            spec.hz[1]
        } else {
            spec.hz[0]
        };
        let turns = [hz[0], hz[1]].map(|hz| {
            let angle = -std::f32::consts::TAU * hz * HOP as f32 / SAMPLE_RATE_HZ;
            (angle.cos(), angle.sin())
        });
        ToneDetector {
            spec,
            bank: GoertzelBank::new(hz),
            turns,
            parts: [[(0.0, 0.0); 2]; 2],
            energies: [0.0; 2],
            last: [(0.0, 0.0); 2],
            part: [0.0; HOP],
            filled: 0,
            state: Timer::default(),
            reported: false,
            periods: 0,
            heard: false,
            events: VecDeque::with_capacity(MAX_EVENTS),
        }
    }

    /// Takes samples.
    pub fn process(&mut self, samples: &[f32]) {
        for sample in samples {
            self.part[self.filled] = finite(*sample).clamp(-4.0, 4.0);
            self.filled += 1;
            if self.filled == HOP {
                self.filled = 0;
                let sounds = self.look();
                self.advance(sounds);
            }
        }
    }

    /// The next finding.
    pub fn poll(&mut self) -> Option<ToneEvent> {
        self.events.pop_front()
    }

    /// Whether the tone sounds and has been reported.
    pub fn is_sounding(&self) -> bool {
        self.reported
    }

    fn look(&mut self) -> bool {
        self.bank.push(&self.part);
        let all = self.bank.finish();
        self.parts = [self.parts[1], [all[0], all[1]]];
        self.energies = [self.energies[1], self.part.iter().map(|s| s * s).sum()];
        let n = WINDOW as f32;
        let block: [(f32, f32); 2] = std::array::from_fn(|i| {
            let later = times(self.turns[i], self.parts[1][i]);
            (self.parts[0][i].0 + later.0, self.parts[0][i].1 + later.1)
        });
        let energy = self.energies[0] + self.energies[1];
        let power = block.map(|(re, im)| 2.0 * (re * re + im * im) / n);
        let least = rms_of_dbm0(self.spec.least_dbm0).powi(2) * n * 0.7;
        let exact = (0..2).all(|i| self.is_on_frequency(i, block[i]));
        self.last = block;
        if self.spec.hz[1] > 0.0 {
            let each = power.iter().all(|p| *p > least && *p > 0.15 * energy);
            each && exact && power[0] + power[1] > PURITY * energy
        } else {
            power[0] > least && exact && power[0] > PURITY * energy
        }
    }

    /// Whether the phase gained since the last look fits the frequency.
    fn is_on_frequency(&self, lane: usize, now: (f32, f32)) -> bool {
        let last = self.last[lane];
        let gained = times(now, (last.0, -last.1));
        let beyond = times(gained, self.turns[lane]);
        let hz = beyond.1.atan2(beyond.0) / std::f32::consts::TAU * SAMPLE_RATE_HZ / HOP as f32;
        hz.abs() <= self.spec.tolerance_hz
    }

    fn advance(&mut self, sounds: bool) {
        self.state.looks = self.state.looks.saturating_add(1);
        if sounds == self.state.on {
            self.state.against = 0;
        } else {
            self.state.against += 1;
        }
        if self.state.against >= SURE {
            let lasted = (self.state.looks - SURE) * 10;
            self.turn(lasted);
            self.state = Timer {
                on: !self.state.on,
                looks: SURE,
                against: 0,
            };
        }
        // The first look that hears a tone already holds 20 ms of it.
        if self.state.on && !self.reported && self.state.looks * 10 >= self.spec.least_ms {
            self.reported = true;
            self.push(ToneEvent::Started);
        }
    }

    /// The state changes after `lasted` ms.
    fn turn(&mut self, lasted: u32) {
        let fits = |wanted: u32| lasted.abs_diff(wanted) <= wanted / 5 + 20;
        if self.state.on {
            let long_enough = std::mem::take(&mut self.reported);
            if long_enough {
                self.push(ToneEvent::Stopped { on_ms: lasted });
            }
            if !self.spec.cadence.is_some_and(|cadence| fits(cadence.on_ms)) {
                self.break_cadence();
            }
        } else if let Some(cadence) = self.spec.cadence {
            if fits(cadence.off_ms) {
                self.periods += 1;
                if self.periods >= 2 && !self.heard {
                    self.heard = true;
                    self.push(ToneEvent::CadenceHeard);
                }
            } else {
                self.break_cadence();
            }
        }
    }

    fn break_cadence(&mut self) {
        self.periods = 0;
        self.heard = false;
    }

    fn push(&mut self, event: ToneEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }
}

fn times(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    fn listen(spec: ToneSpec, generator: &mut ToneGenerator, ms: usize) -> Vec<ToneEvent> {
        let mut detector = ToneDetector::new(spec);
        let mut block = [0.0; 37];
        let mut found = Vec::new();
        for _ in 0..ms * 8 / 37 {
            generator.fill(&mut block);
            detector.process(&block);
            found.extend(std::iter::from_fn(|| detector.poll()));
        }
        found
    }

    #[test]
    fn a_tone_is_found_within_its_tolerance_only() {
        for (hz, found) in [
            (425.0, true),
            (415.0, true),
            (435.0, true),
            (395.0, false),
            (455.0, false),
        ] {
            let mut tone = ToneGenerator::sine(hz, -20.0);
            let events = listen(ToneSpec::single(425.0), &mut tone, 300);
            assert_eq!(
                events,
                if found {
                    vec![ToneEvent::Started]
                } else {
                    vec![]
                },
                "{hz} Hz"
            );
        }
    }

    #[test]
    fn level_and_purity_count() {
        let mut faint = ToneGenerator::sine(425.0, -40.0);
        assert!(listen(ToneSpec::single(425.0), &mut faint, 500).is_empty());
        let two = [(425.0, -20.0), (1100.0, -18.0)];
        let mut mixed = ToneGenerator::new(two, Cadence::CONTINUOUS);
        assert!(listen(ToneSpec::single(425.0), &mut mixed, 500).is_empty());
    }

    #[test]
    fn a_busy_tone_is_known_by_its_cadence() {
        let spec = ToneSpec::single(425.0).with_cadence(350, 350);
        let cadence = Cadence {
            on_ms: 350,
            off_ms: 350,
        };
        let mut busy = ToneGenerator::new([(425.0, -15.0), (0.0, 0.0)], cadence);
        let events = listen(spec, &mut busy, 3000);
        assert_eq!(
            events
                .iter()
                .filter(|e| **e == ToneEvent::CadenceHeard)
                .count(),
            1
        );
        for event in &events {
            if let ToneEvent::Stopped { on_ms } = event {
                assert!((320..=380).contains(on_ms), "{on_ms}");
            }
        }
        let ringback = Cadence {
            on_ms: 1000,
            off_ms: 4000,
        };
        let mut other = ToneGenerator::new([(425.0, -15.0), (0.0, 0.0)], ringback);
        assert!(!listen(spec, &mut other, 12_000).contains(&ToneEvent::CadenceHeard));
    }

    #[test]
    fn a_dial_tone_of_two_frequencies_needs_both() {
        let spec = ToneSpec {
            hz: [350.0, 440.0],
            ..ToneSpec::single(350.0)
        };
        let pair = [(350.0, -18.0), (440.0, -18.0)];
        let mut both = ToneGenerator::new(pair, Cadence::CONTINUOUS);
        assert_eq!(
            listen(spec, &mut both, 500).first(),
            Some(&ToneEvent::Started)
        );
        let mut one = ToneGenerator::sine(350.0, -18.0);
        assert!(listen(spec, &mut one, 500).is_empty());
    }

    #[test]
    fn nonsense_breaks_nothing() {
        let mut detector = ToneDetector::new(ToneSpec::single(425.0));
        detector.process(&[f32::NAN; 500]);
        detector.process(&[f32::INFINITY; 500]);
        let mut block = [0.0; 1600];
        ToneGenerator::sine(425.0, -10.0).fill(&mut block);
        detector.process(&block);
        assert_eq!(detector.poll(), Some(ToneEvent::Started));
    }
}
