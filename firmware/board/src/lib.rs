//! The real line card: chips on the kernel's SPI, I2C and GPIO devices, a codec through ALSA.
//!
//! What to write to which chip, in which order, and what readings mean is decided in
//! [`line_interface::chips`], which knows no device and no clock. Here devices are opened, the
//! converter gets a thread that reads it block by block, and a [`LineCard`] puts it together.
//!
//! [`LineCard`]: line_interface::LineCard

mod card;
#[cfg(feature = "chips")]
mod devices;
mod matrix;
mod sampling;
pub mod sound;

pub use card::BoardCard;
pub use matrix::{MatrixBoardCard, SwitchWires};

use line_interface::chips::ChipError;
use line_interface::{CardError, CardErrorKind, DriveBlock, SenseBlock};

/// The board on this computer's devices, as the configuration names them; `wires` are those of a line
/// at a switch.
///
/// # Errors
/// A device that cannot be opened, a chip that does not answer as it should. Nothing is switched
/// on then.
#[cfg(feature = "chips")]
pub fn open(
    board: &config::Board,
    wires: Option<&SwitchWires>,
) -> Result<Box<dyn line_interface::LineCard>, CardError> {
    devices::open(board, wires)
}

/// The board on this computer's devices, as the configuration names them.
///
/// # Errors
/// Always: this program was built without them.
#[cfg(not(feature = "chips"))]
pub fn open(
    _board: &config::Board,
    _wires: Option<&SwitchWires>,
) -> Result<Box<dyn line_interface::LineCard>, CardError> {
    Err(CardError {
        kind: CardErrorKind::Lost,
        cause: "this trubkad was built without the board's devices".to_owned(),
        hint: "build it with its default features: cargo build -p trubkad",
    })
}

/// What a chip says, as an error of the card.
fn chip_error(error: &ChipError) -> CardError {
    CardError {
        kind: CardErrorKind::Lost,
        cause: error.cause.clone(),
        hint: error.hint(),
    }
}

/// The blocks of the one line that a board carries.
fn only_line<'a>(
    drive: &'a [DriveBlock],
    sense: &'a mut [SenseBlock],
) -> Result<(&'a DriveBlock, &'a mut SenseBlock), CardError> {
    match (drive, sense) {
        ([drive], [sense]) => Ok((drive, sense)),
        _ => Err(CardError {
            kind: CardErrorKind::LineCount,
            cause: "the board carries one line".to_owned(),
            hint: "channel of the [[line]] must be 0",
        }),
    }
}
