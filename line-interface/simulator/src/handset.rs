//! The old handset: a diode, a hook switch, a speaker, an amplifier and a button (line-facts 1.3).

use crate::circuit::{diode_branch, modulation};

/// The old handset behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OldHandset {
    /// Its speaker, on the line while on its hook.
    pub on_hook_ohms: f32,
    /// Its amplifier on a fed line, DC (the active sink of line-facts 1.3).
    pub off_hook_ohms: f32,
    /// Its amplifier below the voltage that biases it: what an ohmmeter or our bias sees.
    pub unbiased_ohms: f32,
    /// What its button leaves on the line.
    pub button_ohms: f32,
    /// Its series diode.
    pub diode_volts: f32,
}

impl Default for OldHandset {
    fn default() -> Self {
        Self {
            on_hook_ohms: 46.0,
            off_hook_ohms: 300.0,
            unbiased_ohms: 7000.0,
            button_ohms: 9400.0,
            diode_volts: 0.62,
        }
    }
}

/// What a handset is to the line at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum HandsetLoad {
    /// Not there.
    None,
    /// One resistance behind the diode.
    Plain { ohms: f32, diode_volts: f32 },
    /// The amplifier: kilo-ohms until it is biased by a fed line.
    Amplifier {
        ohms: f32,
        unbiased_ohms: f32,
        diode_volts: f32,
    },
}

impl OldHandset {
    pub(crate) const fn load(&self, lifted: bool, button: bool) -> HandsetLoad {
        let diode_volts = self.diode_volts;
        match (lifted, button) {
            (false, _) => HandsetLoad::Plain {
                ohms: self.on_hook_ohms,
                diode_volts,
            },
            (true, true) => HandsetLoad::Plain {
                ohms: self.button_ohms,
                diode_volts,
            },
            (true, false) => HandsetLoad::Amplifier {
                ohms: self.off_hook_ohms,
                unbiased_ohms: self.unbiased_ohms,
                diode_volts,
            },
        }
    }
}

impl HandsetLoad {
    /// Current and slope at `v`; `before` is the last sample's voltage, `biased` whether the line has
    /// kept the amplifier's capacitor charged.
    pub(crate) fn current(self, v: f32, before: f32, biased: bool, voice_amps: f32) -> (f32, f32) {
        match self {
            Self::None => (0.0, 0.0),
            Self::Plain { ohms, diode_volts } => diode_branch(v, ohms, diode_volts),
            Self::Amplifier {
                ohms,
                unbiased_ohms,
                diode_volts,
            } => {
                let r = if biased { ohms } else { unbiased_ohms };
                let (i, d) = diode_branch(v, r, diode_volts);
                let voice = if biased {
                    modulation(before, voice_amps, ohms, diode_volts)
                } else {
                    0.0
                };
                (i + voice, d)
            }
        }
    }
}
