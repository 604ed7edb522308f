//! One pair's parts and the faults that can be put into them.

use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::handset::OldHandset;
use crate::panel::{PanelError, PanelSpec};

/// A fault that can be injected and taken away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The wires to the handset touch, behind the card's terminals.
    Short,
    /// The handset is unplugged.
    Open,
    /// The handset's hook switch is stuck lifted.
    Stuck,
    /// The riser cable is shorted between panel and card.
    RiserShort,
    /// The riser cable is broken between panel and card.
    RiserOpen,
    /// The line wires are swapped.
    Reversed,
    /// The gateway has no power: its drive has no effect.
    CardPowerOff,
    /// Switch only: the called pair's tens line touches the next one.
    BusShort,
    /// Switch only: the tap of the called pair's tens line is off its terminal.
    TapOff,
}

impl Fault {
    /// Faults of a pair; a switch and a pulse line have them too.
    pub const ALL: [Self; 7] = [
        Self::Short,
        Self::Open,
        Self::Stuck,
        Self::RiserShort,
        Self::RiserOpen,
        Self::Reversed,
        Self::CardPowerOff,
    ];
    /// Faults that only a switch has; other lines stay as they are.
    pub const BUSES: [Self; 2] = [Self::BusShort, Self::TapOff];

    /// Stable name, as scripts write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Open => "open",
            Self::Stuck => "stuck",
            Self::RiserShort => "riser_short",
            Self::RiserOpen => "riser_open",
            Self::Reversed => "reversed",
            Self::CardPowerOff => "card_power_off",
            Self::BusShort => "bus_short",
            Self::TapOff => "tap_off",
        }
    }
}

/// Everything that stays fixed during a simulation.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The panel.
    pub panel: PanelSpec,
    /// The old handset, or none.
    pub handset: Option<OldHandset>,
    /// Resistance of the riser cable, both wires together.
    pub cable_ohms: f32,
    /// Capacity of the riser cable.
    pub cable_nanofarads: f32,
    /// Peak of the white noise on the line.
    pub noise_volts: f32,
    /// Peak of the mains hum on the line.
    pub hum_volts: f32,
    /// Frequency of the hum, 50 or 100.
    pub hum_hz: f32,
    /// Seed of the noise.
    pub seed: [u8; 32],
}

/// Why a setup is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupError {
    /// No such brand.
    UnknownBrand(String),
    /// The panel file is wrong.
    Panel(PanelError),
    /// A value that is no physical part.
    OutOfRange(&'static str),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownBrand(name) => {
                write!(
                    f,
                    "no panel called {name:?}; there are vizit, cyfral, eltis and metakom"
                )
            }
            Self::Panel(e) => e.fmt(f),
            Self::OutOfRange(what) => write!(f, "{what} is out of range"),
        }
    }
}

impl std::error::Error for SetupError {}

impl Setup {
    /// A brand's panel with nominal parts and a little noise.
    ///
    /// # Errors
    /// [`SetupError::UnknownBrand`].
    pub fn brand(name: &str) -> Result<Self, SetupError> {
        Ok(Self {
            panel: PanelSpec::builtin(name)
                .ok_or_else(|| SetupError::UnknownBrand(name.to_owned()))?,
            handset: Some(OldHandset::default()),
            cable_ohms: 15.0,
            cable_nanofarads: 10.0,
            noise_volts: 0.01,
            hum_volts: 0.02,
            hum_hz: 50.0,
            seed: [0; 32],
        })
    }

    /// Spreads every part by up to the given fraction, and hum, noise and cable over what a
    /// building shows. The same seed gives the same parts.
    #[must_use]
    pub fn spread(mut self, seed: [u8; 32], fraction: f32) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut unit = move || rng.next_u32() as f32 / u32::MAX as f32;
        self.seed = seed;
        let mut vary = |v: &mut f32, fraction: f32| *v *= 1.0 + fraction * (2.0 * unit() - 1.0);
        vary(&mut self.panel.source.volts.value, fraction / 2.0);
        vary(&mut self.panel.source.ohms.value, fraction);
        if let Some(handset) = &mut self.handset {
            vary(&mut handset.on_hook_ohms, fraction);
            vary(&mut handset.off_hook_ohms, fraction);
            vary(&mut handset.button_ohms, fraction);
            vary(&mut handset.unbiased_ohms, fraction);
            vary(&mut handset.diode_volts, fraction);
        }
        vary(&mut self.cable_ohms, 0.8);
        vary(&mut self.cable_nanofarads, 0.8);
        vary(&mut self.noise_volts, 1.0);
        self.noise_volts *= 3.0;
        vary(&mut self.hum_volts, 1.0);
        self.hum_volts *= 4.0;
        let mut frequency = 1.0;
        vary(&mut frequency, 1.0);
        self.hum_hz = if frequency > 1.0 { 100.0 } else { 50.0 };
        self
    }

    pub(crate) fn check(&self) -> Result<(), SetupError> {
        self.panel.check().map_err(SetupError::Panel)?;
        for (what, value, low, high) in [
            ("cable_ohms", self.cable_ohms, 0.0, 1000.0),
            ("cable_nanofarads", self.cable_nanofarads, 0.0, 1000.0),
            ("noise_volts", self.noise_volts, 0.0, 5.0),
            ("hum_volts", self.hum_volts, 0.0, 20.0),
            ("hum_hz", self.hum_hz, 1.0, 400.0),
        ] {
            if !(low..=high).contains(&value) {
                return Err(SetupError::OutOfRange(what));
            }
        }
        Ok(())
    }
}
