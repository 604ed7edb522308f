//! Switches of coordinate lines as data: how many tens and units lines, and which pair is whose.
//!
//! Two ways of numbering exist (line-facts 2.2), so the same apartment may hang on different pairs.

mod addressing;
mod validate;

use serde::Deserialize;

use crate::profile::Figure;

pub use addressing::{Addressing, AddressingError};
pub use validate::{SwitchError, SwitchErrorKind};

/// How the units lines of a switch are numbered (line-facts 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbering {
    /// Vizit, Cyfral, Eltis, Beward: apartment 10 is tens 1, units 0; a full module's last apartment
    /// has tens 0, units 0.
    ZeroBased,
    /// Metakom, Factorial: apartment 10 is tens 0, units 10.
    OneBased,
}

/// A pair of a switch, by the labels on its terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// Module (hundred), counted from 0.
    pub module: u8,
    /// Label of the tens line, `D4` is 4.
    pub tens: u8,
    /// Label of the units line, `E10` is 10.
    pub units: u8,
}

/// A switch type.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Stable key, such as `bk-100`.
    pub name: String,
    /// Name on the box.
    pub title: String,
    /// Other keys of the same switch.
    pub aliases: Vec<String>,
    /// Brand key.
    pub brand: String,
    /// Number of units lines, 1 to 32.
    pub units: Figure<u8>,
    /// Number of tens lines of each module, 1 to 32 each.
    pub module_tens: Figure<Vec<u8>>,
    /// Numbering rule.
    pub numbering: Figure<Numbering>,
    /// Label of the first tens line, 0 or 1.
    pub first_tens: Figure<u8>,
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../switches/", $name, ".toml")))),*]
    };
}

const BUILTIN: [(&str, &str); 20] = builtin![
    "bk-4",
    "bk-10",
    "bk-100",
    "bk-400",
    "kmg-100",
    "km20-1",
    "km100-7.1",
    "km100-7.2",
    "km100-7.3",
    "km100-7.5",
    "com-25u",
    "com-80u",
    "com-100u",
    "com-160u",
    "com-220u",
    "kkm-100s2",
    "kkm-105",
    "kkm-108",
    "factorial-8x8",
    "custom",
];

impl Switch {
    /// A switch that ships with the program, by its key, an alias or the name on the box.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let wanted = name.to_lowercase();
        BUILTIN
            .iter()
            .filter_map(|(_, text)| Self::from_toml(text).ok())
            .find(|switch| {
                switch.name == wanted
                    || switch.aliases.contains(&wanted)
                    || switch.title.to_lowercase() == wanted
            })
    }

    /// Keys of the switches that ship with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Reads and validates a switch file (see `docs/reference/switches.md`).
    ///
    /// # Errors
    /// [`SwitchError`] with kind, cause and hint.
    pub fn from_toml(text: &str) -> Result<Self, SwitchError> {
        validate::load(text)
    }

    /// Number of modules.
    #[must_use]
    pub fn modules(&self) -> usize {
        self.module_tens.value.len()
    }

    /// Number of pairs of all modules.
    #[must_use]
    pub fn capacity(&self) -> u16 {
        let tens: u16 = self.module_tens.value.iter().map(|t| u16::from(*t)).sum();
        tens * u16::from(self.units.value)
    }

    /// Label of the first units line.
    #[must_use]
    pub const fn first_units(&self) -> u8 {
        match self.numbering.value {
            Numbering::ZeroBased => 0,
            Numbering::OneBased => 1,
        }
    }

    /// Labels of a module's tens lines, in order; empty for a module that does not exist.
    pub fn tens_labels(&self, module: u8) -> std::ops::Range<u8> {
        let first = self.first_tens.value;
        let count = self.module_tens.value.get(usize::from(module));
        first..first + count.copied().unwrap_or(0)
    }

    /// Labels of the units lines, in order.
    #[must_use]
    pub const fn units_labels(&self) -> std::ops::Range<u8> {
        let first = self.first_units();
        first..first + self.units.value
    }

    /// The pair of a matrix number, 1 to [`Self::capacity`].
    #[must_use]
    pub fn cell(&self, number: u16) -> Option<Cell> {
        let units = u16::from(self.units.value);
        let mut rest = number.checked_sub(1)?;
        for (module, tens) in (0_u8..).zip(&self.module_tens.value) {
            let size = u16::from(*tens) * units;
            if rest >= size {
                rest -= size;
                continue;
            }
            let position = match self.numbering.value {
                Numbering::OneBased => rest,
                // Units count from 0, so the last apartment of a module wraps to its first pair.
                Numbering::ZeroBased => (rest + 1) % size,
            };
            return Some(Cell {
                module,
                tens: u8::try_from(position / units).ok()? + self.first_tens.value,
                units: u8::try_from(position % units).ok()? + self.first_units(),
            });
        }
        None
    }

    /// The matrix number of a pair, or `None` when the switch has no such pair.
    #[must_use]
    pub fn number(&self, cell: Cell) -> Option<u16> {
        let tens = u16::from(*self.module_tens.value.get(usize::from(cell.module))?);
        let units = u16::from(self.units.value);
        let t = u16::from(cell.tens.checked_sub(self.first_tens.value)?);
        let u = u16::from(cell.units.checked_sub(self.first_units())?);
        if t >= tens || u >= units {
            return None;
        }
        let before: u16 = self
            .module_tens
            .value
            .iter()
            .take(usize::from(cell.module))
            .map(|t| u16::from(*t) * units)
            .sum();
        let position = t * units + u;
        Some(
            before
                + match self.numbering.value {
                    Numbering::OneBased => position + 1,
                    Numbering::ZeroBased if position == 0 => tens * units,
                    Numbering::ZeroBased => position,
                },
        )
    }
}

#[cfg(test)]
mod tests;
