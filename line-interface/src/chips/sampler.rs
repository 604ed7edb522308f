//! From conversions to a block of readings: what is converted when, and how fast.

use std::time::Duration;

use super::error::{ChipError, ChipErrorKind};
use super::map::{BoardMap, Measure};
use super::mcp3208::{Conversions, Mcp3208};
use crate::card::{BLOCK_SAMPLES, SenseBlock};

/// The line voltage is read with every sample: the ring needs it. Current, handset and tap move
/// slowly and are read once in so many samples, and hold in between.
const SLOW_EVERY: usize = 8;
/// Slow channels, each in the pause behind another sample.
const SLOW: usize = 3;
/// Supplies that are read once a block.
const SUPPLIES: usize = 4;
/// Conversions of one block.
const CONVERSIONS: usize = BLOCK_SAMPLES + SLOW * (BLOCK_SAMPLES / SLOW_EVERY) + SUPPLIES;
/// Clocks of one conversion.
const CLOCKS: u32 = 24;
/// The part of a block that the conversions fill; the rest is the way to the program and back.
const BURST_US: f32 = 9_930.0;

/// When the two taps of a block are read, as samples of the block that hold those readings: each tap
/// has then had its time to settle since [`TAP_SELECT_MS`].
const TAP_WINDOWS: [std::ops::Range<usize>; 2] = [21..40, 61..80];
/// By when the two taps of a block must be selected, milliseconds from its begin: the first from 0
/// to this, the second from half of the block to half of it and this.
pub const TAP_SELECT_MS: f32 = 1.3;

/// What one visit to a tap showed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TapVisit {
    /// Mean volts of the bus line over two milliseconds.
    pub volts: f32,
    /// Range of its readings: large while a ring burst chops the line.
    pub range_volts: f32,
}

/// Readings of 10 ms, without sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// Volts at the line terminals.
    pub line_volts: [f32; BLOCK_SAMPLES],
    /// Milliamps into them.
    pub line_milliamps: [f32; BLOCK_SAMPLES],
    /// Volts behind the handset relay.
    pub handset_volts: [f32; BLOCK_SAMPLES],
    /// Volts of the selected tap; nothing useful where no taps are fitted.
    pub tap_volts: [f32; BLOCK_SAMPLES],
    /// The card's own supplies.
    pub supplies: Supplies,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            line_volts: [0.0; BLOCK_SAMPLES],
            line_milliamps: [0.0; BLOCK_SAMPLES],
            handset_volts: [0.0; BLOCK_SAMPLES],
            tap_volts: [0.0; BLOCK_SAMPLES],
            supplies: Supplies::default(),
        }
    }
}

impl Readings {
    /// What the first or second (0 or 1) tap of the block showed, if it was selected in time.
    #[must_use]
    pub fn tap_visit(&self, turn: usize) -> TapVisit {
        let window = TAP_WINDOWS.get(turn).cloned().unwrap_or(0..0);
        let volts = self.tap_volts.get(window).unwrap_or_default();
        let (low, high) = volts
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| {
                (low.min(*v), high.max(*v))
            });
        TapVisit {
            volts: volts.iter().sum::<f32>() / volts.len().max(1) as f32,
            range_volts: (high - low).max(0.0),
        }
    }

    /// Puts the readings into a block; its sound stays.
    pub fn fill(&self, sense: &mut SenseBlock) {
        sense.line_volts = self.line_volts;
        sense.line_milliamps = self.line_milliamps;
        sense.handset_volts = self.handset_volts;
    }
}

/// What the card says of its own supply.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Supplies {
    /// The line side's 5 V.
    pub five_volts: f32,
    /// The rail of loads and relays; 0 while the watchdog does not hold.
    pub drive_rail_volts: f32,
    /// The middle of the supply, 2.5 V.
    pub middle_volts: f32,
    /// A channel tied to ground.
    pub zero_volts: f32,
}

impl Supplies {
    /// Whether these can be readings of the card at all.
    ///
    /// # Errors
    /// [`ChipErrorKind::WrongChip`] where the fixed channels are not what the board ties them to,
    /// [`ChipErrorKind::Supply`] where the 5 V are low.
    pub fn check(&self) -> Result<(), ChipError> {
        if self.zero_volts > 0.05 || (self.middle_volts - 2.5).abs() > 0.25 {
            let cause = format!(
                "the converter reads {:.2} V at its grounded input and {:.2} V at its 2.5 V input",
                self.zero_volts, self.middle_volts
            );
            return Err(ChipError::new(ChipErrorKind::WrongChip, cause));
        }
        if self.five_volts < 4.5 || self.five_volts > 5.6 {
            let cause = format!("the card's 5 V are {:.2} V", self.five_volts);
            return Err(ChipError::new(ChipErrorKind::Supply, cause));
        }
        Ok(())
    }
}

/// Reads blocks from a converter.
#[derive(Debug)]
pub struct Sampler<C> {
    map: &'static BoardMap,
    converter: Mcp3208<C>,
    channels: [u8; CONVERSIONS],
    pauses_us: [u16; CONVERSIONS],
    counts: [u16; CONVERSIONS],
    /// Time of one conversion without its pause, bus overhead included.
    conversion_us: f32,
    last: Readings,
}

impl<C: Conversions> Sampler<C> {
    /// A sampler on a bus of `clock_hz`.
    #[must_use]
    pub fn new(bus: C, clock_hz: u32, map: &'static BoardMap) -> Self {
        let mut sampler = Self {
            map,
            converter: Mcp3208::new(bus),
            channels: plan(map),
            pauses_us: [0; CONVERSIONS],
            counts: [0; CONVERSIONS],
            conversion_us: (CLOCKS * 1000) as f32 / (clock_hz.max(1000) / 1000) as f32,
            last: Readings::default(),
        };
        sampler.spread();
        sampler
    }

    /// Converts one block; takes about 10 ms on a real bus.
    ///
    /// # Errors
    /// [`ChipError`] when the bus fails or nothing drives its data line.
    pub fn read(&mut self) -> Result<&Readings, ChipError> {
        self.converter
            .burst(&self.channels, &self.pauses_us, &mut self.counts)?;
        self.sort();
        Ok(&self.last)
    }

    /// Tells how long the last [`Sampler::read`] took, so that the next one spreads its samples
    /// evenly over the block, whatever the bus costs beside its clocks.
    pub fn took(&mut self, time: Duration) {
        let pauses: f32 = self.pauses_us.iter().map(|us| f32::from(*us)).sum();
        let each = (time.as_secs_f32() * 1e6 - pauses) / CONVERSIONS as f32;
        // A block during which the machine did something else is no measure.
        if each.is_finite() && each > 0.0 && each < 3.0 * self.conversion_us + 20.0 {
            self.conversion_us += (each - self.conversion_us) / 16.0;
            self.spread();
        }
    }

    /// Time between two samples of the line voltage as the plan has it, microseconds.
    #[must_use]
    pub fn sample_us(&self) -> f32 {
        let pauses: f32 = self.pauses_us.iter().map(|us| f32::from(*us)).sum();
        (pauses + self.conversion_us * CONVERSIONS as f32) / BLOCK_SAMPLES as f32
    }

    /// Time of one conversion as it was measured, without its pause, microseconds.
    #[must_use]
    pub const fn conversion_us(&self) -> f32 {
        self.conversion_us
    }

    /// Pauses such that each sample of the line voltage begins in its own place.
    fn spread(&mut self) {
        let mut at = 0.0;
        let mut sample = 0.0_f32;
        for i in 0..CONVERSIONS {
            at += self.conversion_us;
            self.pauses_us[i] = 0;
            let line_next = self
                .channels
                .get(i + 1)
                .is_none_or(|channel| *channel == self.map.line_volts.channel);
            if line_next {
                sample += 1.0;
                let due = sample * BURST_US / BLOCK_SAMPLES as f32;
                // Whole microseconds; what is left over stays for the next pause.
                let pause = (due - at).floor().clamp(0.0, f32::from(u16::MAX));
                self.pauses_us[i] = pause as u16;
                at += pause;
            }
        }
    }

    /// From counts to volts, each to its series.
    fn sort(&mut self) {
        let map = self.map;
        let out = &mut self.last;
        let (mut sample, mut held) = (0, [None; SLOW]);
        for (channel, counts) in self.channels.iter().zip(&self.counts) {
            let value = |measure: Measure| measure.scale.volts(*counts);
            let is = |measure: Measure| measure.channel == *channel;
            if is(map.line_volts) {
                if let Some(slot) = out.line_volts.get_mut(sample) {
                    *slot = value(map.line_volts);
                }
                sample += 1;
            } else if is(map.line_milliamps) {
                held[0] = hold(
                    &mut out.line_milliamps,
                    held[0],
                    sample,
                    value(map.line_milliamps),
                );
            } else if is(map.handset_volts) {
                held[1] = hold(
                    &mut out.handset_volts,
                    held[1],
                    sample,
                    value(map.handset_volts),
                );
            } else if is(map.tap) {
                held[2] = hold(&mut out.tap_volts, held[2], sample, value(map.tap));
            } else if is(map.half_supply) {
                out.supplies.five_volts = value(map.half_supply);
            } else if is(map.half_drive_rail) {
                out.supplies.drive_rail_volts = value(map.half_drive_rail);
            } else if is(map.mid_supply) {
                out.supplies.middle_volts = value(map.mid_supply);
            } else if is(map.zero) {
                out.supplies.zero_volts = value(map.zero);
            }
        }
    }
}

/// Writes a reading of sample `at` onwards; a first one also holds for the samples before it.
/// Later readings overwrite what this one holds.
fn hold(
    series: &mut [f32; BLOCK_SAMPLES],
    before: Option<usize>,
    at: usize,
    value: f32,
) -> Option<usize> {
    let from = if before.is_none() { 0 } else { at };
    if let Some(rest) = series.get_mut(from..) {
        rest.fill(value);
    }
    Some(at)
}

/// The order of the conversions: the line voltage every sample, the others in the pauses.
fn plan(map: &BoardMap) -> [u8; CONVERSIONS] {
    let slow = [
        map.line_milliamps.channel,
        map.handset_volts.channel,
        map.tap.channel,
    ];
    let supplies = [
        map.half_supply.channel,
        map.half_drive_rail.channel,
        map.mid_supply.channel,
        map.zero.channel,
    ];
    let mut channels = [0; CONVERSIONS];
    let mut order = channels.iter_mut();
    let mut put = |channel: u8| {
        if let Some(slot) = order.next() {
            *slot = channel;
        }
    };
    for sample in 0..BLOCK_SAMPLES {
        put(map.line_volts.channel);
        // Samples 0, 2 and 4 of each eight carry a slow channel, sample 6 of the first four
        // groups a supply.
        let (group, place) = (sample / SLOW_EVERY, sample % SLOW_EVERY);
        if place % 2 == 0 {
            if let Some(channel) = slow.get(place / 2) {
                put(*channel);
            } else if let Some(channel) = supplies.get(group) {
                put(*channel);
            }
        }
    }
    channels
}
