//! The card's chips by their registers and clocks, for its drivers to talk to.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use embedded_hal::{digital, i2c, spi};
use line_interface::chips::Pins;
use line_interface::chips::{AdcScale, BoardMap, Contact, Register};
use line_interface::{Drive, HandsetRelay, Load};

pub fn map() -> &'static BoardMap {
    BoardMap::reference().unwrap()
}

/// An expander by its registers, what its pins switch, and the watchdog that can take the supply
/// of that.
pub struct Card {
    pub address: u8,
    pub pins: Pins,
    pub registers: [u8; 22],
    /// Writes of this chip are acknowledged.
    pub present: bool,
    pub stuck: bool,
    pub wrong: bool,
    /// The next so many writes are not acknowledged.
    pub nacks: u32,
    pub writes: Vec<(u8, u16)>,
    /// Everything that was ever switched on, state after state.
    pub outputs: Vec<u16>,
    pub last_edge: Option<Duration>,
    pub now: Duration,
}

impl Card {
    /// The expander of load and relay.
    pub fn new() -> Rc<RefCell<Self>> {
        Self::at(map().line_expander())
    }

    pub fn at(address: u8) -> Rc<RefCell<Self>> {
        let mut card = Self {
            address,
            pins: map().pins(address),
            registers: [0; 22],
            present: true,
            stuck: false,
            wrong: false,
            nacks: 0,
            writes: Vec::new(),
            outputs: Vec::new(),
            last_edge: None,
            now: Duration::ZERO,
        };
        card.brown_out();
        Rc::new(RefCell::new(card))
    }

    pub fn brown_out(&mut self) {
        self.registers = [0; 22];
        self.registers[0] = 0xff;
        self.registers[1] = 0xff;
        self.note();
    }

    pub fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.registers[at], self.registers[at + 1]])
    }

    /// What is switched on: an input switches nothing, an output by its own polarity.
    pub fn pins(&self) -> u16 {
        let outputs = !self.word(Register::Direction as usize);
        (self.word(Register::Latch as usize) ^ self.pins.off) & outputs & self.pins.outputs
    }

    pub fn note(&mut self) {
        let pins = self.pins();
        self.outputs.push(pins);
    }

    /// The watchdog holds the rail of loads and relays.
    pub fn held(&self) -> bool {
        self.last_edge
            .is_some_and(|at| self.now - at < Duration::from_millis(map().watchdog_max_ms))
    }

    /// What the loads and relays really do.
    pub fn switched(&self) -> u16 {
        if self.held() { self.pins() } else { 0 }
    }
}

#[derive(Clone)]
pub struct Bus(pub Rc<RefCell<Card>>);

impl i2c::ErrorType for Bus {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for Bus {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        let mut card = self.0.borrow_mut();
        if card.stuck {
            return Err(i2c::ErrorKind::Bus);
        }
        let nack = i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address);
        if !card.present || address != card.address {
            return Err(nack);
        }
        if card.nacks > 0 {
            card.nacks -= 1;
            return Err(nack);
        }
        let mut pointer = 0;
        for operation in operations {
            match operation {
                i2c::Operation::Write(bytes) => {
                    pointer = usize::from(bytes[0]);
                    for byte in &bytes[1..] {
                        // Byte by byte, as the chip takes them: port A changes before port B.
                        if !card.wrong {
                            card.registers[pointer] = *byte;
                        }
                        card.note();
                        pointer += 1;
                    }
                    if let [register, a, b] = bytes {
                        card.writes.push((*register, u16::from_le_bytes([*a, *b])));
                    }
                }
                i2c::Operation::Read(bytes) => {
                    for byte in bytes.iter_mut() {
                        *byte = if card.wrong {
                            0x5a
                        } else {
                            card.registers[pointer]
                        };
                        pointer += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

pub struct Pin(pub Rc<RefCell<Card>>, pub bool);

impl digital::ErrorType for Pin {
    type Error = Infallible;
}

impl digital::OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false)
    }
    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true)
    }
}

impl Pin {
    fn set(&mut self, high: bool) -> Result<(), Infallible> {
        let mut card = self.0.borrow_mut();
        // Only an edge feeds the watchdog, a pin that hangs high does not.
        if high != self.1 {
            card.last_edge = Some(card.now);
        }
        self.1 = high;
        Ok(())
    }
}

/// The expanders of the crosspoint on one bus.
#[derive(Clone)]
pub struct CrosspointBus(pub Vec<Rc<RefCell<Card>>>);

impl CrosspointBus {
    pub fn new() -> Self {
        Self(
            map()
                .crosspoint_expanders()
                .into_iter()
                .map(Card::at)
                .collect(),
        )
    }

    /// Lines of both buses whose contacts are closed.
    pub fn closed(&self) -> (Vec<usize>, Vec<usize>) {
        let of = |contacts: &[Contact]| {
            let closed = |contact: &Contact| {
                let mut cards = self.0.iter().map(|card| card.borrow());
                cards.any(|card| {
                    card.address == contact.expander && card.pins() & contact.mask() != 0
                })
            };
            (0..contacts.len())
                .filter(|i| closed(&contacts[*i]))
                .collect()
        };
        (of(&map().tens), of(&map().units))
    }
}

impl i2c::ErrorType for CrosspointBus {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for CrosspointBus {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        let card = self.0.iter().find(|card| card.borrow().address == address);
        match card {
            Some(card) => Bus(Rc::clone(card)).transaction(address, operations),
            None => Err(i2c::ErrorKind::NoAcknowledge(
                i2c::NoAcknowledgeSource::Address,
            )),
        }
    }
}

/// A converter on wires of the electrical simulator: 24 clocks a conversion at 1 MHz.
pub struct Adc<F> {
    pub volts: F,
    pub scale: AdcScale,
    pub clocks: Rc<RefCell<u64>>,
    pub dead: bool,
}

impl<F> spi::ErrorType for Adc<F> {
    type Error = spi::ErrorKind;
}

impl<F: FnMut(u8, u64) -> f64> spi::SpiDevice for Adc<F> {
    fn transaction(&mut self, ops: &mut [spi::Operation<'_, u8>]) -> Result<(), spi::ErrorKind> {
        for op in ops {
            let bytes = match op {
                spi::Operation::TransferInPlace(bytes) => bytes,
                spi::Operation::DelayNs(ns) => {
                    *self.clocks.borrow_mut() += u64::from(*ns) / 1000;
                    continue;
                }
                _ => return Err(spi::ErrorKind::Other),
            };
            if self.dead {
                bytes.fill(0xff);
                continue;
            }
            assert_eq!(bytes.len(), 3, "a conversion takes 24 clocks");
            assert_eq!(bytes[0] & 0xfe, 0x06, "start bit and single-ended");
            let channel = (bytes[0] & 1) << 2 | bytes[1] >> 6;
            // The sample is held from the seventh clock on.
            let at = *self.clocks.borrow() + 7;
            let AdcScale {
                volts_per_count,
                zero_counts,
            } = self.scale;
            let counts = (self.volts)(channel, at) / f64::from(volts_per_count);
            let counts = (counts + f64::from(zero_counts)).round();
            let counts = counts.clamp(0.0, 4095.0) as u16;
            bytes[1] = 0xe0 | (counts >> 8) as u8;
            bytes[2] = counts as u8;
            *self.clocks.borrow_mut() += 24;
        }
        Ok(())
    }
}

pub const TALK: Drive = Drive {
    load: Load::OffHook,
    relay: HandsetRelay::Isolated,
};

/// The pin of a signal of the line expander.
pub fn pin(name: &str) -> u16 {
    map().contact(name).unwrap().mask()
}

/// What a drive switches on.
pub fn on(drive: Drive) -> u16 {
    map().latch(drive) ^ map().pins(map().line_expander()).off
}

/// At most one load, or the two hook loads while one takes over from the other.
pub fn sane(pins: u16) -> bool {
    let loads = ["load_on_hook", "load_off_hook", "load_residue"];
    let on: Vec<_> = loads.iter().filter(|name| pins & pin(name) != 0).collect();
    on.len() <= 1 || on == [&"load_on_hook", &"load_off_hook"]
}
