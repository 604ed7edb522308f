//! The card's threads in real time over small models of its chips: who kicks the watchdog, and what
//! is left switched on when something ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use embedded_hal::{digital, i2c};
use line_interface::chips::{BoardMap, Conversions, Frame};
use line_interface::{CardErrorKind, Drive, DriveBlock, HandsetRelay, LineCard, Load, SenseBlock};
use trubka_board::BoardCard;

/// Registers of one expander, edges of the watchdog, and what the converter does.
#[derive(Default)]
struct Chips {
    registers: [u8; 22],
    edges: u64,
    silent_converter: bool,
    dead_converter: bool,
    blocks: u64,
}

type Shared = Arc<Mutex<Chips>>;

fn chips() -> Shared {
    let mut chips = Chips::default();
    chips.registers[0] = 0xff;
    chips.registers[1] = 0xff;
    Arc::new(Mutex::new(chips))
}

struct Bus(Shared);

impl i2c::ErrorType for Bus {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for Bus {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        let map = BoardMap::reference().unwrap();
        if address != map.line_expander() {
            let source = i2c::NoAcknowledgeSource::Address;
            return Err(i2c::ErrorKind::NoAcknowledge(source));
        }
        let mut chips = self.0.lock().unwrap();
        let mut at = 0;
        for operation in operations {
            match operation {
                i2c::Operation::Write(bytes) => {
                    at = usize::from(bytes[0]);
                    for byte in &bytes[1..] {
                        chips.registers[at] = *byte;
                        at += 1;
                    }
                }
                i2c::Operation::Read(bytes) => {
                    for byte in bytes.iter_mut() {
                        *byte = chips.registers[at];
                        at += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

struct Kick(Shared, bool);

impl digital::ErrorType for Kick {
    type Error = Infallible;
}

impl digital::OutputPin for Kick {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.lock().unwrap().edges += u64::from(self.1);
        self.1 = false;
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.lock().unwrap().edges += u64::from(!self.1);
        self.1 = true;
        Ok(())
    }
}

struct Converter(Shared);

impl Conversions for Converter {
    type Error = i2c::ErrorKind;

    fn exchange(&mut self, frames: &mut [Frame], pauses_us: &[u16]) -> Result<(), i2c::ErrorKind> {
        let map = BoardMap::reference().unwrap();
        let micros: u64 = pauses_us.iter().map(|us| u64::from(*us) + 24).sum();
        std::thread::sleep(Duration::from_micros(micros));
        loop {
            let mut chips = self.0.lock().unwrap();
            if chips.dead_converter {
                return Err(i2c::ErrorKind::Bus);
            }
            if !chips.silent_converter {
                chips.blocks += 1;
                break;
            }
            drop(chips);
            std::thread::sleep(Duration::from_millis(5));
        }
        for frame in frames {
            let channel = (frame[0] & 1) << 2 | frame[1] >> 6;
            let (measure, value) = [
                (map.line_volts, 11.0),
                (map.half_supply, 5.0),
                (map.half_drive_rail, 4.9),
                (map.mid_supply, 2.5),
            ]
            .into_iter()
            .find(|(measure, _)| measure.channel == channel)
            .unwrap_or((map.zero, 0.0));
            let counts = value / measure.scale.volts_per_count + measure.scale.zero_counts;
            let counts = counts.round() as u16;
            *frame = [0xff, 0xe0 | (counts >> 8) as u8, counts as u8];
        }
        Ok(())
    }
}

fn card(chips: &Shared) -> BoardCard<Bus, Kick> {
    BoardCard::start(
        Bus(chips.clone()),
        Kick(chips.clone(), false),
        Converter(chips.clone()),
        1_000_000,
        None,
    )
    .unwrap()
}

/// Nothing is an output, so nothing is on.
fn off(chips: &Shared) -> bool {
    chips.lock().unwrap().registers[..2] == [0xff, 0xff]
}

const TALK: DriveBlock = DriveBlock {
    connect: None,
    drive: Drive {
        load: Load::OffHook,
        relay: HandsetRelay::Isolated,
    },
    audio: [0; 80],
};

fn exchange(card: &mut BoardCard<Bus, Kick>) -> Result<SenseBlock, CardErrorKind> {
    let mut sense = [SenseBlock::default()];
    card.exchange(&[TALK], &mut sense).map_err(|e| {
        assert!(!e.cause.is_empty() && !e.hint.is_empty());
        e.kind
    })?;
    let [sense] = sense;
    Ok(sense)
}

fn talking(chips: &Shared) -> BoardCard<Bus, Kick> {
    let mut card = card(chips);
    for _ in 0..10 {
        exchange(&mut card).unwrap();
    }
    assert!(!off(chips));
    card
}

#[test]
fn blocks_come_in_their_time_with_readings_and_each_kicks_once() {
    let chips = chips();
    let mut card = card(&chips);
    let begin = Instant::now();
    let mut sense = SenseBlock::default();
    for _ in 0..50 {
        sense = exchange(&mut card).unwrap();
    }
    let took = begin.elapsed();
    // A loaded machine may be slower, never faster: the converter sets the pace.
    assert!(took >= Duration::from_millis(430), "{took:?}");
    assert_eq!(chips.lock().unwrap().edges, 50);
    assert!(sense.line_volts.iter().all(|v| (v - 11.0).abs() < 0.02));
    assert_eq!(sense.audio, [0; 80]);
    let two = card.exchange(&[TALK, TALK], &mut [SenseBlock::default()]);
    assert_eq!(two.unwrap_err().kind, CardErrorKind::LineCount);
}

#[test]
fn a_program_that_hangs_kicks_no_more_though_its_converter_reads_on() {
    let chips = chips();
    let card = talking(&chips);
    let (edges, blocks) = {
        let chips = chips.lock().unwrap();
        (chips.edges, chips.blocks)
    };
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(chips.lock().unwrap().edges, edges);
    assert!(chips.lock().unwrap().blocks > blocks + 5);
    drop(card);
    assert!(off(&chips));
}

#[test]
fn the_end_of_the_thread_by_whatever_way_switches_everything_off() {
    let chips = chips();
    let card = talking(&chips);
    drop(card);
    assert!(off(&chips));

    let shared = chips.clone();
    let thread = std::thread::spawn(move || {
        let _card = talking(&shared);
        panic!("the thread of the card fell over");
    });
    assert!(thread.join().is_err());
    assert!(off(&chips));
}

#[test]
fn a_converter_that_fails_or_hangs_is_told_and_the_card_can_be_had_again() {
    let chips = chips();
    let mut card = talking(&chips);
    chips.lock().unwrap().dead_converter = true;
    let lost = (0..40).find_map(|_| exchange(&mut card).err());
    assert_eq!(lost, Some(CardErrorKind::Lost));
    drop(card);
    assert!(off(&chips));
    chips.lock().unwrap().dead_converter = false;

    let mut card = talking(&chips);
    chips.lock().unwrap().silent_converter = true;
    let begin = Instant::now();
    let lost = (0..40).find_map(|_| exchange(&mut card).err());
    assert_eq!(lost, Some(CardErrorKind::Timeout));
    let watchdog = Duration::from_millis(BoardMap::reference().unwrap().watchdog_min_ms);
    // Told before the watchdog would have let go, plus what a loaded machine takes.
    assert!(begin.elapsed() < watchdog + Duration::from_secs(10));
    chips.lock().unwrap().silent_converter = false;
    drop(card);
    assert!(off(&chips));
    drop(talking(&chips));
}

#[test]
fn what_is_no_board_is_refused_before_anything_is_switched() {
    let chips = chips();
    chips.lock().unwrap().dead_converter = true;
    let refused = BoardCard::start(
        Bus(chips.clone()),
        Kick(chips.clone(), false),
        Converter(chips.clone()),
        1_000_000,
        None,
    );
    assert!(refused.is_err());
    assert!(off(&chips));
    assert_eq!(chips.lock().unwrap().edges, 0);
}

#[test]
fn devices_that_are_not_there_are_told_with_what_to_do() {
    let board = config::Board {
        matrix: false,
        spi: "/dev/spidev-nowhere".into(),
        spi_hz: 1_000_000,
        i2c: "/dev/i2c-nowhere".into(),
        gpio_chip: "/dev/gpio-nowhere".into(),
        watchdog_gpio: None,
        sound: None,
    };
    let Err(error) = trubka_board::open(&board, None) else {
        panic!("opened a device that does not exist");
    };
    assert!(error.cause.contains("/dev/spidev-nowhere"), "{error}");
    assert!(error.hint.contains("dtparam=spi=on"), "{}", error.hint);
}
