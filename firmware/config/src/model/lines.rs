//! Cards, the lines on them, and what differs for one apartment.

use std::path::PathBuf;
use std::time::Duration;

use line_interface::switch::{Addressing, AddressingError, Switch};
use line_interface::{DriveSide, OVERRIDE_KEYS, Profile};

use crate::problem::{Problem, ProblemKind};

/// Section `card`.
#[derive(Debug, Clone)]
pub struct Card {
    /// Short name.
    pub name: String,
    /// What it is.
    pub kind: CardKind,
}

/// What a card is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardKind {
    /// A process behind a local stream socket.
    Virtual {
        /// The socket.
        socket: PathBuf,
    },
    /// The board on devices of this computer.
    Linux(Box<Board>),
}

/// The real board and its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The matrix variant, else the pair variant.
    pub matrix: bool,
    /// SPI device of the converter.
    pub spi: PathBuf,
    /// Its clock.
    pub spi_hz: u32,
    /// I2C bus of the expanders.
    pub i2c: PathBuf,
    /// GPIO device.
    pub gpio_chip: PathBuf,
    /// Line of the watchdog when it is not the board's own.
    pub watchdog_gpio: Option<u32>,
    /// Its sound, where there is any.
    pub sound: Option<Sound>,
}

/// A pair of sound devices, one channel of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// ALSA name of the PCM that is recorded.
    pub capture: String,
    /// ALSA name of the PCM that is played to.
    pub playback: String,
    /// Channel of `capture`, from 0.
    pub capture_channel: u16,
    /// Channel of `playback`, from 0.
    pub playback_channel: u16,
    /// 8000, 16000 or 48000.
    pub rate_hz: u32,
    /// Sound kept each way, milliseconds.
    pub delay_ms: u32,
}

/// Section `headset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headset {
    /// Its devices.
    pub sound: Sound,
    /// It leaves the line by itself after this.
    pub limit: Duration,
}

/// Whether an old handset is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handset {
    /// Behind the box's relay.
    Relayed,
    /// The box takes its place.
    Absent,
}

/// Section `line`.
#[derive(Debug, Clone)]
pub struct Line {
    /// Short name.
    pub name: String,
    /// Index into [`Config::cards`](crate::Config::cards).
    pub card: usize,
    /// Number on the card.
    pub channel: usize,
    /// Built-in profile name or path of a profile file.
    pub profile: String,
    /// How its panel names the apartment it calls.
    pub topology: Topology,
    /// Old handset.
    pub handset: Handset,
    /// Name of the panel for people, or the line's name.
    pub panel: String,
}

impl Line {
    /// The one apartment of a pair.
    pub fn apartment(&self) -> Option<u16> {
        match self.topology {
            Topology::Pair { apartment } => Some(apartment),
            Topology::Matrix(_) | Topology::Pulse { .. } => None,
        }
    }

    /// Whether visitors of the apartment can come on this line. A switch that is a file of its own
    /// is taken to have any apartment from the first on.
    pub fn serves(&self, apartment: u16) -> bool {
        match &self.topology {
            Topology::Pair { apartment: own } => *own == apartment,
            Topology::Matrix(matrix) => match matrix.builtin() {
                Some(Ok(addressing)) => addressing.apartments().contains(&apartment),
                Some(Err(_)) => true,
                None => apartment >= matrix.first_apartment,
            },
            Topology::Pulse { addresses } => addresses.iter().any(|(_, own)| *own == apartment),
        }
    }
}

/// How a line's panel names the apartment it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// It does not: the pair is one apartment's.
    Pair {
        /// Whose.
        apartment: u16,
    },
    /// By a tens and a units line of a switch.
    Matrix(Matrix),
    /// By a number of pulses.
    Pulse {
        /// Our addresses, and whose they are.
        addresses: Vec<(u16, u16)>,
    },
}

impl Topology {
    /// As the configuration writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Topology::Pair { .. } => "pair",
            Topology::Matrix(_) => "matrix",
            Topology::Pulse { .. } => "pulse",
        }
    }
}

/// A line at a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Built-in switch name or path of a switch file.
    pub switch: String,
    /// Modules that are fitted, where not all are.
    pub modules: Option<usize>,
    /// The fed bus, where it is not the profile's.
    pub sourced: Option<DriveSide>,
    /// Lowest apartment of the entrance.
    pub first_apartment: u16,
    /// Whether the digits of the door number are those on the terminals.
    pub absolute: bool,
}

impl Matrix {
    /// The switch at this entrance.
    ///
    /// # Errors
    /// When more modules are fitted than the switch has, or apartments would pass 9999.
    pub fn addressing(&self, mut switch: Switch) -> Result<Addressing, AddressingError> {
        if let Some(modules) = self.modules {
            if modules > switch.modules() {
                return Err(AddressingError {
                    cause: format!(
                        "{modules} modules, but {} has {}",
                        switch.title,
                        switch.modules()
                    ),
                    hint: "remove modules, or give the number that is fitted",
                });
            }
            switch.module_tens.value.truncate(modules);
        }
        Addressing::new(switch, self.first_apartment, self.absolute)
    }

    /// The same for a switch that ships with the program; none for a file.
    pub fn builtin(&self) -> Option<Result<Addressing, AddressingError>> {
        Switch::builtin(&self.switch).map(|switch| self.addressing(switch))
    }
}

/// Section `override`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Apartment.
    pub apartment: u16,
    /// Where the values come from.
    pub source: String,
    /// Values by the names of [`line_interface::OVERRIDE_KEYS`], in that order.
    pub values: Vec<(&'static str, f32)>,
    /// Where the section and each of its values stands in the file.
    pub(crate) lines: (usize, Vec<usize>),
}

impl Override {
    /// The profile with these values.
    pub(crate) fn apply(&self, base: &Profile) -> Result<Profile, Problem> {
        base.overridden(&self.values, &self.source)
            .map_err(|error| {
                let own = |figure: &(&str, &str)| {
                    let named = format!("{}.{}", figure.0, figure.1);
                    error.cause.contains(&named)
                };
                let first = self.values.iter().position(|(name, _)| {
                    OVERRIDE_KEYS
                        .iter()
                        .any(|key| key.name == *name && own(&key.figure))
                });
                let line = first.and_then(|at| self.lines.1.get(at)).copied();
                let key = first.and_then(|at| self.values.get(at));
                Problem {
                    file: String::new(),
                    line: line.unwrap_or(self.lines.0),
                    key: format!("override.{}", key.map_or("apartment", |(name, _)| name)),
                    kind: ProblemKind::OutOfRange,
                    cause: format!("with profile {}: {}", base.name, error.cause),
                    hint: error.hint.to_owned(),
                }
            })
    }

    /// The values as a person writes them, `on_hook_max_volts = 4.4`.
    pub fn words(&self) -> Vec<String> {
        let word = |(name, value): &(&str, f32)| format!("{name} = {value}");
        self.values.iter().map(word).collect()
    }
}
