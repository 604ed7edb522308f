//! How a chip fails.

use std::fmt;

use embedded_hal::i2c;

/// What is wrong with a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChipErrorKind {
    /// No chip answers at its address.
    NoAnswer,
    /// The bus itself does not work: a line held low, lost arbitration.
    BusStuck,
    /// Something answers that is not the chip.
    WrongChip,
    /// The chip has fallen back to its power-on state.
    Reset,
    /// No such channel or line.
    NoSuchChannel,
    /// The pin of the watchdog cannot be set.
    Pin,
    /// A supply of the card is not what it should be.
    Supply,
    /// The watchdog is kicked and does not let the drives work.
    WatchdogHolds,
    /// The parameters of the card are not what the drivers understand.
    Parameters,
}

/// A chip error with its cause and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipError {
    /// Kind, for decisions.
    pub kind: ChipErrorKind,
    /// Which chip and what happened.
    pub cause: String,
}

impl ChipError {
    pub(crate) fn new(kind: ChipErrorKind, cause: impl Into<String>) -> Self {
        Self {
            kind,
            cause: cause.into(),
        }
    }

    pub(crate) fn i2c(address: u8, e: &impl i2c::Error) -> Self {
        let kind = match e.kind() {
            i2c::ErrorKind::NoAcknowledge(_) => ChipErrorKind::NoAnswer,
            _ => ChipErrorKind::BusStuck,
        };
        Self::new(kind, format!("port expander 0x{address:02x}: {e:?}"))
    }

    /// What a technician does about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self.kind {
            ChipErrorKind::NoAnswer => {
                "is the card plugged in, its supply on, and the address or chip select of the configuration right?"
            }
            ChipErrorKind::BusStuck => {
                "a chip or a short holds the bus: switch the card off and on; if it stays, unplug the cards one by one"
            }
            ChipErrorKind::WrongChip => {
                "something else answers at this address: compare the bus and address of the configuration with the card"
            }
            ChipErrorKind::Reset => {
                "the card lost its supply for a moment: check the power supply and its connector"
            }
            ChipErrorKind::NoSuchChannel => {
                "the configuration names a channel that the card does not have"
            }
            ChipErrorKind::Parameters => {
                "board-schematics/parameters.toml is generated: run board-schematics/check --update"
            }
            ChipErrorKind::Supply => {
                "measure the card's 5 V and 3.3 V (board-schematics/docs/bring-up.md, step 1.6)"
            }
            ChipErrorKind::WatchdogHolds => {
                "the watchdog gets no edges from us: check watchdog_gpio of the [[card]] and the wire WDT_KICK (pin 11 of the header)"
            }
            ChipErrorKind::Pin => "is the watchdog's GPIO line free and does the service own it?",
        }
    }
}

impl fmt::Display for ChipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for ChipError {}
