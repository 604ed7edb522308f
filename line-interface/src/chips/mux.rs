//! The multiplexers of the matrix card: which bus line the converter's tap channel reads.

use embedded_hal::i2c::I2c;

use super::error::{ChipError, ChipErrorKind};
use super::map::{BoardMap, Contact, wrong};
use super::mcp23017::Mcp23017;
use crate::matrix::Bus;

/// Inputs of one multiplexer.
const INPUTS: usize = 16;

/// Where the multiplexers have their address, their enables and the bus lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxMap {
    /// Address of the selected input, lowest bit first; both multiplexers see it.
    select: [Contact; 4],
    /// Enable of each multiplexer, low is on.
    enable: [Contact; 2],
    /// Bus and line at each input of each multiplexer.
    inputs: [Vec<(Bus, usize)>; 2],
}

impl MuxMap {
    /// From the pins and input names of the board's parameters.
    pub(super) fn new(
        select: [(u8, u8); 4],
        enable: [(u8, u8); 2],
        inputs: [&[String]; 2],
    ) -> Result<MuxMap, ChipError> {
        let [first, second] = inputs;
        let map = MuxMap {
            select: select.map(|(expander, bit)| Contact {
                expander,
                bit,
                active_low: false,
            }),
            enable: enable.map(|(expander, bit)| Contact {
                expander,
                bit,
                active_low: true,
            }),
            inputs: [lines(first)?, lines(second)?],
        };
        let home = map.address();
        if map.contacts().any(|pin| pin.expander != home) {
            return Err(wrong(
                "the multiplexers hang on two expanders: one write could not set both",
            ));
        }
        Ok(map)
    }

    /// Address of the expander that has the multiplexers.
    #[must_use]
    pub const fn address(&self) -> u8 {
        self.select[0].expander
    }

    /// All its pins.
    pub(super) fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.select.into_iter().chain(self.enable)
    }

    /// Multiplexer and input of a bus line.
    fn input(&self, bus: Bus, line: usize) -> Option<(usize, usize)> {
        self.inputs.iter().enumerate().find_map(|(chip, inputs)| {
            let at = inputs.iter().position(|input| *input == (bus, line))?;
            Some((chip, at))
        })
    }

    /// Latch bits that differ from everything off for one selected input.
    fn bits(&self, chip: usize, input: usize) -> u16 {
        let address = self
            .select
            .iter()
            .enumerate()
            .filter(|(bit, _)| input >> bit & 1 == 1)
            .fold(0, |all, (_, pin)| all | pin.mask());
        address | self.enable.get(chip).map_or(0, |pin| pin.mask())
    }
}

/// `D7` is tens line 7, `E3` units line 3.
fn lines(names: &[String]) -> Result<Vec<(Bus, usize)>, ChipError> {
    if names.len() > INPUTS {
        return Err(wrong("a multiplexer has 16 inputs"));
    }
    let line = |name: &String| {
        let (bus, number) = name.split_at_checked(1)?;
        let bus = match bus {
            "D" => Bus::Tens,
            "E" => Bus::Units,
            _ => return None,
        };
        Some((bus, number.parse().ok()?))
    };
    names
        .iter()
        .map(|name| line(name).ok_or_else(|| wrong(format!("multiplexer input {name}"))))
        .collect()
}

/// The multiplexers. Dropping them, also in a panic, disables both.
#[derive(Debug)]
pub struct TapMux<I: I2c> {
    map: &'static BoardMap,
    chip: Mcp23017<I>,
    selected: Option<(Bus, usize)>,
}

impl<I: I2c> TapMux<I> {
    /// Starts the expander with no tap selected.
    ///
    /// # Errors
    /// [`ChipError`] when the expander does not answer as one.
    pub fn start(i2c: I, map: &'static BoardMap) -> Result<Self, ChipError> {
        let address = map.mux.address();
        let mut chip = Mcp23017::new(i2c, address, map.pins(address));
        chip.start()?;
        Ok(Self {
            map,
            chip,
            selected: None,
        })
    }

    /// Puts one bus line on the converter's tap channel, or none. The old input is off before the
    /// address changes, so two lines are never joined and no third one is touched on the way. The
    /// level stands after [`BoardMap::tap_settle_us`].
    ///
    /// # Errors
    /// A line that no multiplexer has, or a chip that fails; then none counts as selected, and a
    /// chip that was reset is an output again with everything off.
    pub fn select(&mut self, tap: Option<(Bus, usize)>) -> Result<(), ChipError> {
        if tap == self.selected && tap.is_some() {
            return Ok(());
        }
        let bits = match tap {
            None => None,
            Some((bus, line)) => Some(self.map.mux.input(bus, line).ok_or_else(|| {
                let cause = format!("no multiplexer has {bus:?} line {line}");
                ChipError::new(ChipErrorKind::NoSuchChannel, cause)
            })?),
        };
        self.selected = None;
        let off = self.chip.off();
        self.chip.set(off)?;
        if let Some((chip, input)) = bits {
            let on = self.map.mux.bits(chip, input);
            // The address first, with both still off, then the enable.
            self.chip.set(off ^ (on & !self.enables()))?;
            self.chip.set(off ^ on)?;
        }
        self.selected = tap;
        Ok(())
    }

    fn enables(&self) -> u16 {
        let enables = self.map.mux.enable.iter();
        enables.fold(0, |all, pin| all | pin.mask())
    }

    /// The line on the tap channel.
    #[must_use]
    pub const fn selected(&self) -> Option<(Bus, usize)> {
        self.selected
    }

    /// Looks whether the chip still is as it was told; one that was reset is started anew, with
    /// nothing selected.
    ///
    /// # Errors
    /// [`ChipError`].
    pub fn check(&mut self) -> Result<(), ChipError> {
        self.chip.check().inspect_err(|_| {
            self.selected = None;
            let _ = self.chip.start();
        })
    }

    /// Disables both; also tried when the card goes away.
    ///
    /// # Errors
    /// [`ChipError`].
    pub fn stop(&mut self) -> Result<(), ChipError> {
        self.selected = None;
        self.chip.stop()
    }
}

impl<I: I2c> Drop for TapMux<I> {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
