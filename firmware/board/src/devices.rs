//! The kernel's devices behind the chips' traits.

use std::path::{Path, PathBuf};

use embedded_hal::i2c::{ErrorType, I2c, Operation};
use line_interface::chips::{BoardMap, Conversions, Frame};
use line_interface::{CardError, CardErrorKind, LineCard};
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, Spidev, SpidevOptions, SpidevTransfer};
use linux_embedded_hal::{CdevPin, I2CError, I2cdev};

use crate::card::BoardCard;
use crate::chip_error;
use crate::matrix::{MatrixBoardCard, SwitchWires};
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

pub(crate) fn open(
    board: &config::Board,
    wires: Option<&SwitchWires>,
) -> Result<Box<dyn LineCard>, CardError> {
    if board.matrix != wires.is_some() {
        return Err(CardError {
            kind: CardErrorKind::LineCount,
            cause: "board of the [[card]] and topology of its [[line]] do not fit".to_owned(),
            hint: "write board = \"matrix\" and topology = \"matrix\", or neither",
        });
    }
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
    // Told here with its own hint, not later as a chip that does not answer.
    I2cdev::new(&board.i2c).map_err(|error| lost(&board.i2c, &error, I2C_HINT))?;
    let gpio = board.watchdog_gpio.unwrap_or(map.watchdog_gpio);
    let watchdog = watchdog(&board.gpio_chip, gpio)
        .map_err(|error| lost(&board.gpio_chip, &error, GPIO_HINT))?;
    let sound = match &board.sound {
        Some(sound) => Some(Port::open(sound)?),
        None => None,
    };
    let converter = Converter(spi);
    let Some(wires) = wires else {
        let card = BoardCard::start(
            Bus::new(&board.i2c),
            watchdog,
            converter,
            board.spi_hz,
            sound,
        )?;
        return Ok(Box::new(card));
    };
    let handle = || Bus::new(&board.i2c);
    let converter = (converter, board.spi_hz);
    let card = MatrixBoardCard::start(handle, watchdog, converter, wires, sound)?;
    Ok(Box::new(card))
}

/// A chip's own handle of the I2C bus, opened when it is first used: the kernel's device keeps one
/// address, and opening it anew for each transfer would cost more than the transfer.
#[derive(Debug)]
struct Bus {
    path: PathBuf,
    device: Option<Device>,
}

/// The device without the wish to show itself.
struct Device(I2cdev);

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("I2cdev")
    }
}

impl Bus {
    fn new(path: &Path) -> Bus {
        Bus {
            path: path.to_owned(),
            device: None,
        }
    }
}

impl ErrorType for Bus {
    type Error = I2CError;
}

impl I2c for Bus {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), I2CError> {
        let device = match &mut self.device {
            Some(device) => device,
            empty => empty.insert(Device(I2cdev::new(&self.path)?)),
        };
        I2c::transaction(&mut device.0, address, operations)
    }
}

/// The watchdog's line as an output that stands still: no edge, nothing held.
fn watchdog(
    chip: &Path,
    line: u32,
) -> Result<CdevPin, linux_embedded_hal::gpio_cdev::errors::Error> {
    let line = Chip::new(chip)?.get_line(line)?;
    CdevPin::new(line.request(LineRequestFlags::OUTPUT, 0, "trubkad watchdog")?)
}
