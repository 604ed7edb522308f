//! The network of one pair, solved at 8 kHz.
//!
//! Two nodes are unknown: the line at the card's terminals and, while the relay isolates it, the
//! handset side. Neither sees the other then, so each is a one-node Newton iteration. Every branch
//! current rises with voltage and bends upwards only, so the iteration converges from anywhere.
//! Capacitors are backward-Euler companions.

use line_interface::{Drive, HandsetRelay, Load, SAMPLE_RATE_HZ};

use crate::handset::HandsetLoad;

/// Seconds between samples.
const STEP_S: f32 = 1.0 / SAMPLE_RATE_HZ as f32;
/// Bias of the handset side while isolated: 5 V through 4.7 kOhm.
const BIAS_VOLTS: f32 = 5.0;
const BIAS_OHMS: f32 = 4700.0;
/// Capacity of the handset's own cable.
const HANDSET_FARADS: f32 = 5e-9;
/// The relay contact opens this long after the coil is energised.
const RELAY_OPENS_SAMPLES: u32 = 16;
/// The contact closes this long after the coil is released.
const RELAY_CLOSES_SAMPLES: u32 = 32;
/// The card's voltage divider; its current is not read.
const DIVIDER_OHMS: f32 = 1e6;
/// Residual resistance of a short.
const SHORT_OHMS: f32 = 2.0;
/// A lifted handset's amplifier needs this to work; the 5 V bias through 4.7 kOhm cannot hold it.
const AMPLIFIER_VOLTS: f32 = 4.0;
/// Its capacitor rides over the gaps of a ring burst.
const AMPLIFIER_HOLD_SAMPLES: u32 = 80;
/// Width of a diode's knee.
const KNEE_VOLTS: f32 = 0.05;
/// Our off-hook load, DC (line-facts 1.3: the active sink).
pub(crate) const OFF_HOOK_OHMS: f32 = 300.0;
const ON_HOOK_OHMS: f32 = 50.0;
const RESIDUE_OHMS: f32 = 10_000.0;
const CARD_DIODE_VOLTS: f32 = 0.65;

/// A resistor behind a diode: current and slope at `v`.
pub(crate) fn diode_branch(v: f32, ohms: f32, knee_at: f32) -> (f32, f32) {
    let x = (v - knee_at) / KNEE_VOLTS;
    if x > 12.0 {
        ((v - knee_at) / ohms, 1.0 / ohms)
    } else if x < -10.0 {
        // Below a microampere; a line at rest lies here and is solved without an exponential.
        (0.0, 0.0)
    } else {
        let e = x.exp();
        (KNEE_VOLTS * e.ln_1p() / ohms, e / (1.0 + e) / ohms)
    }
}

/// What the panel and the cable do to the line in one sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feed {
    /// Electromotive force of the panel, including its audio.
    pub(crate) volts: f32,
    /// Source resistance; very large while the pair is not selected.
    pub(crate) ohms: f32,
    /// Noise and hum induced in the cable.
    pub(crate) noise_volts: f32,
}

/// Fixed values and faults of one pair's wiring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wiring {
    pub(crate) cable_ohms: f32,
    pub(crate) cable_farads: f32,
    pub(crate) reversed: bool,
    pub(crate) riser_open: bool,
    pub(crate) riser_short: bool,
    pub(crate) handset_short: bool,
}

/// Voltages and currents of one sample.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Solution {
    pub(crate) line_volts: f32,
    pub(crate) handset_volts: f32,
    /// Into the card's terminals.
    pub(crate) milliamps: f32,
    /// At the panel's own terminals.
    pub(crate) panel_volts: f32,
}

/// State of the network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Circuit {
    line: f32,
    handset: f32,
    relay_open: bool,
    relay_timer: u32,
    /// Samples for which the handset's amplifier stays biased without a fed line.
    biased_samples: u32,
}

impl Circuit {
    /// Solves one sample. `sink_amps` is the audio our off-hook load adds to its current,
    /// `voice_amps` the same for the handset's microphone.
    pub(crate) fn solve(
        &mut self,
        wiring: &Wiring,
        feed: Feed,
        drive: Drive,
        handset: HandsetLoad,
        sink_amps: f32,
        voice_amps: f32,
    ) -> Solution {
        self.move_relay(drive.relay);
        let joined = !self.relay_open;
        let source = if wiring.reversed {
            -feed.volts
        } else {
            feed.volts
        };
        let emf = source + feed.noise_volts;
        let series = if wiring.riser_open {
            1e8
        } else {
            feed.ohms + wiring.cable_ohms
        };
        let g = 1.0 / series;
        let c = wiring.cable_farads / STEP_S;
        let riser_g = if wiring.riser_short {
            1.0 / SHORT_OHMS
        } else {
            0.0
        };
        let shunt = riser_g + 1.0 / DIVIDER_OHMS;
        let before = self.line;
        let fed = if joined { self.line } else { self.handset };
        self.biased_samples = if fed > AMPLIFIER_VOLTS {
            AMPLIFIER_HOLD_SAMPLES
        } else {
            self.biased_samples.saturating_sub(1)
        };
        let biased = self.biased_samples > 0;
        let handset_branch = |v: f32, at: f32| {
            let (mut i, mut d) = handset.current(v, at, biased, voice_amps);
            if wiring.handset_short {
                i += v / SHORT_OHMS;
                d += 1.0 / SHORT_OHMS;
            }
            (i, d)
        };
        let card = |v: f32| {
            let (mut i, mut d) = load_current(drive.load, v, before, sink_amps);
            if joined {
                let (hi, hd) = handset_branch(v, before);
                i += hi;
                d += hd;
            }
            (i, d)
        };
        let line = newton(before, |v| {
            let (i, d) = card(v);
            (
                (v - emf) * g + (v - before) * c + v * shunt + i,
                g + c + shunt + d,
            )
        });
        self.line = line;
        if joined {
            self.handset = line;
        } else {
            let last = self.handset;
            let c = HANDSET_FARADS / STEP_S;
            self.handset = newton(last, |v| {
                let (i, d) = handset_branch(v, last);
                (
                    (v - BIAS_VOLTS) / BIAS_OHMS + (v - last) * c + i,
                    1.0 / BIAS_OHMS + c + d,
                )
            });
        }
        let source_amps = (emf - line) * g;
        let at_panel = source - source_amps * feed.ohms;
        Solution {
            line_volts: line,
            handset_volts: self.handset,
            milliamps: card(line).0 * 1000.0,
            panel_volts: if wiring.reversed { -at_panel } else { at_panel },
        }
    }

    fn move_relay(&mut self, target: HandsetRelay) {
        let want_open = target == HandsetRelay::Isolated;
        if want_open == self.relay_open {
            self.relay_timer = 0;
            return;
        }
        self.relay_timer += 1;
        let due = if want_open {
            RELAY_OPENS_SAMPLES
        } else {
            RELAY_CLOSES_SAMPLES
        };
        if self.relay_timer >= due {
            self.relay_open = want_open;
            self.relay_timer = 0;
        }
    }
}

fn load_current(load: Load, v: f32, before: f32, sink_amps: f32) -> (f32, f32) {
    match load {
        Load::Off => (0.0, 0.0),
        Load::OnHook => diode_branch(v, ON_HOOK_OHMS, CARD_DIODE_VOLTS),
        Load::Residue => diode_branch(v, RESIDUE_OHMS, CARD_DIODE_VOLTS),
        Load::OffHook => {
            let (i, d) = diode_branch(v, OFF_HOOK_OHMS, CARD_DIODE_VOLTS);
            (
                i + modulation(before, sink_amps, OFF_HOOK_OHMS, CARD_DIODE_VOLTS),
                d,
            )
        }
    }
}

/// A sink modulates only the current it has: never below zero, nothing without bias.
pub(crate) fn modulation(before: f32, amps: f32, ohms: f32, knee_at: f32) -> f32 {
    if amps == 0.0 {
        return 0.0;
    }
    let bias = ((before - knee_at) / ohms).max(0.0);
    amps.clamp(-bias, bias)
}

fn newton(start: f32, f: impl Fn(f32) -> (f32, f32)) -> f32 {
    let mut v = start;
    for _ in 0..20 {
        let (value, slope) = f(v);
        let step = value / slope;
        v -= step;
        // The branches are piecewise nearly straight, so the error after such a step is far smaller.
        if step.abs() < 1e-4 {
            break;
        }
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handset::HandsetLoad;

    fn settle(volts: f32, ohms: f32, drive: Drive, handset: HandsetLoad) -> Solution {
        let wiring = Wiring {
            cable_ohms: 0.0,
            cable_farads: 10e-9,
            reversed: false,
            riser_open: false,
            riser_short: false,
            handset_short: false,
        };
        let mut circuit = Circuit::default();
        let feed = Feed {
            volts,
            ohms,
            noise_volts: 0.0,
        };
        let mut last = Solution::default();
        for _ in 0..200 {
            last = circuit.solve(&wiring, feed, drive, handset, 0.0, 0.0);
        }
        last
    }

    #[test]
    fn the_rows_of_the_source_model_come_out() {
        // line-facts 1.4: V0, Rs, on-hook, off-hook, button.
        let isolated = |load| Drive {
            load,
            relay: HandsetRelay::Isolated,
        };
        for (v0, rs, on_hook, off_hook, button) in [
            (10.5, 220.0, 2.5, 6.4, 10.3),
            (12.0, 300.0, 2.3, 6.4, 11.7),
            (12.0, 470.0, 1.8, 5.1, 11.5),
        ] {
            for (load, volts) in [
                (Load::OnHook, on_hook),
                (Load::OffHook, off_hook),
                (Load::Residue, button),
            ] {
                let s = settle(v0, rs, isolated(load), HandsetLoad::None);
                assert!(
                    (s.line_volts - volts).abs() < 0.15,
                    "{v0} V {rs} Ohm {load:?}: {s:?}"
                );
                // Kirchhoff: what leaves the source enters the card.
                assert!(((v0 - s.line_volts) / rs * 1000.0 - s.milliamps).abs() < 0.05);
            }
        }
    }

    #[test]
    fn the_bias_tells_on_hook_lifted_and_missing() {
        let drive = Drive {
            load: Load::OffHook,
            relay: HandsetRelay::Isolated,
        };
        let old = crate::OldHandset::default();
        let volts = |load| settle(11.0, 240.0, drive, load).handset_volts;
        let on_hook = volts(old.load(false, false));
        let lifted = volts(old.load(true, false));
        assert!((0.5..1.0).contains(&on_hook), "{on_hook}");
        assert!((2.0..4.3).contains(&lifted), "{lifted}");
        assert!(volts(HandsetLoad::None) > 4.9);
    }

    #[test]
    fn nothing_conducts_backwards() {
        let old = crate::OldHandset::default();
        for load in [Load::Off, Load::OnHook, Load::OffHook, Load::Residue] {
            let drive = Drive {
                load,
                relay: HandsetRelay::Through,
            };
            for handset in [
                old.load(false, false),
                old.load(true, false),
                old.load(true, true),
            ] {
                let s = settle(-12.0, 240.0, drive, handset);
                assert!(s.milliamps.abs() < 1e-3, "{load:?} {handset:?} {s:?}");
            }
        }
    }
}
