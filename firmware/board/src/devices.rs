//! The kernel's devices behind the chips' traits.

use std::path::Path;

use line_interface::chips::{BoardMap, Conversions, Frame};
use line_interface::{CardError, CardErrorKind, LineCard};
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, Spidev, SpidevOptions, SpidevTransfer};
use linux_embedded_hal::{CdevPin, I2cdev};

use crate::card::BoardCard;
use crate::chip_error;
use crate::sound::Port;

/// The converter's bus: a whole block of conversions in one call of the kernel, chip select
/// released between them.
#[derive(Debug)]
struct Converter(Spidev);

impl Conversions for Converter {
    type Error = std::io::Error;

    fn exchange(&mut self, frames: &mut [Frame], pauses_us: &[u16]) -> std::io::Result<()> {
        let last = frames.len().saturating_sub(1);
        let pauses = pauses_us.iter().chain(std::iter::repeat(&0));
        let mut transfers: Vec<SpidevTransfer> = frames
            .iter_mut()
            .zip(pauses)
            .enumerate()
            .map(|(i, (frame, pause))| {
                let mut transfer = SpidevTransfer::read_write_in_place(frame);
                transfer.delay_usecs = *pause;
                // Behind the last one it would mean the opposite: keep it selected.
                transfer.cs_change = u8::from(i != last);
                transfer
            })
            .collect();
        self.0.transfer_multiple(&mut transfers)
    }
}

fn lost(device: &Path, error: &dyn std::fmt::Display, hint: &'static str) -> CardError {
    CardError {
        kind: CardErrorKind::Lost,
        cause: format!("cannot open {}: {error}", device.display()),
        hint,
    }
}

const SPI_HINT: &str = "is SPI switched on in the kernel (dtparam=spi=on), spi of the [[card]] right, and may the service use it (group spi)?";
const I2C_HINT: &str = "is I2C switched on in the kernel (dtparam=i2c_arm=on), i2c of the [[card]] right, and may the service use it (group i2c)?";
const GPIO_HINT: &str = "are gpio_chip and watchdog_gpio of the [[card]] right, is the line free, and may the service use it (group gpio)?";

pub(crate) fn open(board: &config::Board) -> Result<Box<dyn LineCard>, CardError> {
    let map = BoardMap::reference().map_err(|error| chip_error(&error))?;
    let mut spi = Spidev::open(&board.spi).map_err(|error| lost(&board.spi, &error, SPI_HINT))?;
    let options = SpidevOptions::new()
        .bits_per_word(8)
        .max_speed_hz(board.spi_hz)
        .lsb_first(false)
        .mode(SpiModeFlags::SPI_MODE_0)
        .build();
    spi.configure(&options)
        .map_err(|error| lost(&board.spi, &error, SPI_HINT))?;
    let i2c = I2cdev::new(&board.i2c).map_err(|error| lost(&board.i2c, &error, I2C_HINT))?;
    let gpio = board.watchdog_gpio.unwrap_or(map.watchdog_gpio);
    let watchdog = watchdog(&board.gpio_chip, gpio)
        .map_err(|error| lost(&board.gpio_chip, &error, GPIO_HINT))?;
    let sound = match &board.sound {
        Some(sound) => Some(Port::open(sound)?),
        None => None,
    };
    if board.matrix {
        return Err(CardError {
            kind: CardErrorKind::Lost,
            cause: "the matrix variant needs a line of that topology".to_owned(),
            hint: "write board = \"pair\" for a pair",
        });
    }
    let card = BoardCard::start(i2c, watchdog, Converter(spi), board.spi_hz, sound)?;
    Ok(Box::new(card))
}

/// The watchdog's line as an output that stands still: no edge, nothing held.
fn watchdog(
    chip: &Path,
    line: u32,
) -> Result<CdevPin, linux_embedded_hal::gpio_cdev::errors::Error> {
    let line = Chip::new(chip)?.get_line(line)?;
    CdevPin::new(line.request(LineRequestFlags::OUTPUT, 0, "trubkad watchdog")?)
}
