//! Which apartment the panel has selected, from the levels of the taps (line-facts 8).
//!
//! The handsets of the selected row join its fed line to every line of the other bus, so the fed
//! line is the single high one and the sunk line the single *low* one. Anything else is told as
//! ambiguous with its reason; an address is never guessed.

use std::fmt;

use super::levels::Levels;
use super::taps::{Bus, ModuleTaps, TapBlock, TapLayout};
use crate::card::BLOCK_MS;
use crate::profile::{DriveSide, Profile};
use crate::switch::{Cell, Switch};

/// Two lines whose levels differ by less than this are joined by something.
const JOINED_VOLTS: f32 = 0.12;
/// A residual signal is too weak to be read for less than this.
const RESIDUAL_MS: u64 = 1000;

/// Why no address can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// More than one line of the fed bus carries the panel's voltage.
    TwoFed(Bus),
    /// More than one line of the sunk bus is low.
    TwoSunk(Bus),
    /// A line is fed and none is sunk.
    NoneSunk(Bus),
    /// A line is sunk or lines float high, and none is fed.
    NoneFed(Bus),
    /// Levels lie between floating and sunk.
    Unclear(Bus),
    /// More than one module is selected.
    TwoModules,
    /// Two lines always have the same voltage: a short between buses (line-facts 2.4).
    BusShort,
}

impl Doubt {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoFed(_) => "two_fed",
            Self::TwoSunk(_) => "two_sunk",
            Self::NoneSunk(_) => "none_sunk",
            Self::NoneFed(_) => "none_fed",
            Self::Unclear(_) => "unclear",
            Self::TwoModules => "two_modules",
            Self::BusShort => "bus_short",
        }
    }

    /// What a technician does about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::TwoFed(_) => {
                "two lines of the fed bus are high: two panels at once, or a handset wired backwards"
            }
            Self::TwoSunk(_) => {
                "two lines of the other bus are low: two panels at once, a short or a wet cable to ground, or a missing handset on a tap without bias"
            }
            Self::NoneSunk(_) => {
                "the panel sinks a line that no tap sees: check the taps' wires, the bias, and whether the profile's sourced bus is the right one"
            }
            Self::NoneFed(_) => {
                "a line is sunk but none is fed: check the taps of the fed bus and whether the profile's sourced bus is the right one"
            }
            Self::Unclear(_) => {
                "levels lie between sunk and floating: measure them and set matrix.sunk_max_volts and float_min_volts"
            }
            Self::TwoModules => {
                "two modules are selected at once: two panels, or a short of the hundreds lines"
            }
            Self::BusShort => {
                "two bus lines are joined: look for a handset across two lines of one bus, a wire on the metal case, or a blown key of the switch; measure tens against units at the switch"
            }
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hint())
    }
}

/// What the taps show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Nothing is selected.
    None,
    /// This pair.
    Cell(Cell),
    /// Something, and it cannot be told what.
    Doubtful(Doubt),
}

/// What happened on the buses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MatrixEvent {
    /// The panel selected a pair.
    Selected {
        /// Which.
        cell: Cell,
        /// For how long it stood when it was believed.
        since_ms: u64,
    },
    /// The selection ended.
    Released,
    /// Something is selected and cannot be told.
    Ambiguous {
        /// Why.
        doubt: Doubt,
        /// For how long it stood.
        since_ms: u64,
        /// The largest level of the fed bus and the two smallest of the sunk bus.
        reading: [f32; 3],
    },
}

/// Follows the taps of one switch.
#[derive(Debug, Clone)]
pub struct MatrixReader {
    layout: TapLayout,
    sourced: Vec<usize>,
    side: DriveSide,
    select_min: f32,
    sunk_max: f32,
    float_min: f32,
    code_ms: u64,
    doubt_ms: u64,
    levels: Levels,
    candidate: Address,
    candidate_ms: u64,
    reading: [f32; 3],
    believed: Address,
}

impl MatrixReader {
    /// A reader for a switch under a profile.
    #[must_use]
    pub fn new(profile: &Profile, switch: &Switch) -> Self {
        let layout = TapLayout::new(switch);
        let side = profile.matrix.sourced.value;
        let sourced = layout
            .modules()
            .iter()
            .flat_map(|m| {
                let (at, count) = match side {
                    DriveSide::Tens => (m.tens_at, m.tens),
                    DriveSide::Units => (m.units_at, m.units),
                };
                at..at + count
            })
            .collect();
        Self {
            levels: Levels::new(layout.taps()),
            layout,
            sourced,
            side,
            select_min: profile.matrix.select_min_volts.value,
            sunk_max: profile.matrix.sunk_max_volts.value,
            float_min: profile.matrix.float_min_volts.value,
            code_ms: profile.matrix.code_ms.value,
            doubt_ms: profile.timing.fault_ms.value,
            candidate: Address::None,
            candidate_ms: 0,
            reading: [0.0; 3],
            believed: Address::None,
        }
    }

    /// The order in which it expects the taps.
    #[must_use]
    pub const fn layout(&self) -> &TapLayout {
        &self.layout
    }

    /// What is believed now.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.believed
    }

    /// Takes the next 10 ms of readings.
    pub fn handle_block(&mut self, block: &TapBlock) -> Option<MatrixEvent> {
        let levels = self.levels.update(block, &self.sourced)?;
        let thresholds = Thresholds {
            side: self.side,
            select_min: self.select_min,
            sunk_max: self.sunk_max,
            float_min: self.float_min,
        };
        let (seen, reading) = thresholds.read(&self.layout, levels);
        if seen == self.candidate {
            self.candidate_ms = self.candidate_ms.saturating_add(BLOCK_MS);
        } else {
            self.candidate = seen;
            self.candidate_ms = BLOCK_MS;
        }
        let wait = match seen {
            // What remains of a signal after a call dies away in that time.
            Address::Doubtful(Doubt::NoneFed(_)) => self.doubt_ms.max(RESIDUAL_MS),
            Address::Doubtful(_) => self.doubt_ms,
            _ => self.code_ms,
        };
        if self.candidate_ms < wait || seen == self.believed {
            return None;
        }
        self.believed = seen;
        self.reading = reading;
        let since_ms = self.candidate_ms;
        Some(match seen {
            Address::None => MatrixEvent::Released,
            Address::Cell(cell) => MatrixEvent::Selected { cell, since_ms },
            Address::Doubtful(doubt) => MatrixEvent::Ambiguous {
                doubt,
                since_ms,
                reading,
            },
        })
    }
}

/// The profile's thresholds.
struct Thresholds {
    side: DriveSide,
    select_min: f32,
    sunk_max: f32,
    float_min: f32,
}

/// Lines of one bus by their levels.
#[derive(Default)]
struct Sorted {
    count: usize,
    index: usize,
    first: f32,
    second: f32,
}

impl Thresholds {
    fn read(&self, layout: &TapLayout, levels: &[f32]) -> (Address, [f32; 3]) {
        let mut found = Address::None;
        let mut reading = [0.0; 3];
        for (module, taps) in (0_u8..).zip(layout.modules()) {
            let (address, figures) = self.module(module, taps, levels);
            if address == Address::None {
                continue;
            }
            found = match found {
                Address::None => {
                    reading = figures;
                    address
                }
                doubtful @ Address::Doubtful(_) => doubtful,
                Address::Cell(_) => Address::Doubtful(Doubt::TwoModules),
            };
        }
        (found, reading)
    }

    fn module(&self, module: u8, taps: &ModuleTaps, levels: &[f32]) -> (Address, [f32; 3]) {
        let tens = levels
            .get(taps.tens_at..taps.tens_at + taps.tens)
            .unwrap_or_default();
        let units = levels
            .get(taps.units_at..taps.units_at + taps.units)
            .unwrap_or_default();
        let (fed_bus, sunk_bus, fed, sunk) = match self.side {
            DriveSide::Tens => (Bus::Tens, Bus::Units, tens, units),
            DriveSide::Units => (Bus::Units, Bus::Tens, units, tens),
        };
        let high = sort(fed.iter().copied(), |a, b| a > b, |v| v > self.sunk_max);
        let low = sort(sunk.iter().copied(), |a, b| a < b, |v| v <= self.sunk_max);
        let reading = [high.first, low.first, low.second];
        let doubt = |d| (Address::Doubtful(d), reading);
        if high.first < self.select_min {
            // Weakly biased taps show a sunk line even when nothing is fed; plain ones rest at 0.
            let alone = low.count == 1 && sunk.len() > 1 && low.second >= self.float_min;
            return if alone {
                let joined = high.first > 0.0 && (high.first - low.first).abs() < JOINED_VOLTS;
                doubt(if joined {
                    Doubt::BusShort
                } else {
                    Doubt::NoneFed(fed_bus)
                })
            } else if fed.len() > 1 && high.first > self.sunk_max {
                // Half a bias on both buses: a fed and a sunk line are joined.
                let twin = sunk.iter().any(|v| (v - high.first).abs() < JOINED_VOLTS);
                doubt(if twin {
                    Doubt::BusShort
                } else {
                    Doubt::Unclear(fed_bus)
                })
            } else {
                (Address::None, reading)
            };
        }
        if high.count > 1 {
            let twin = (high.first - high.second).abs() < JOINED_VOLTS
                || sunk.iter().any(|v| (v - high.second).abs() < 0.02);
            return doubt(if twin && low.count <= 1 {
                Doubt::BusShort
            } else {
                Doubt::TwoFed(fed_bus)
            });
        }
        if low.count == 0 {
            // Resting taps of the sunk bus biased to 5 V, one fed line without a sink.
            return doubt(Doubt::NoneSunk(sunk_bus));
        }
        if low.count > 1 {
            let twin = (low.first - low.second).abs() < JOINED_VOLTS && low.count == 2;
            return doubt(if twin {
                Doubt::BusShort
            } else {
                Doubt::TwoSunk(sunk_bus)
            });
        }
        if sunk.len() > 1 && low.second < self.float_min {
            return doubt(Doubt::Unclear(sunk_bus));
        }
        let (t, u) = match self.side {
            DriveSide::Tens => (high.index, low.index),
            DriveSide::Units => (low.index, high.index),
        };
        let label = |first: u8, i: usize| u8::try_from(i).map_or(u8::MAX, |i| first + i);
        (
            Address::Cell(Cell {
                module,
                tens: label(taps.first_tens, t),
                units: label(taps.first_units, u),
            }),
            reading,
        )
    }
}

/// The best two lines under `before`, and how many are `counted`.
fn sort(
    lines: impl Iterator<Item = f32>,
    before: impl Fn(f32, f32) -> bool,
    counted: impl Fn(f32) -> bool,
) -> Sorted {
    let mut out = Sorted::default();
    for (i, v) in lines.enumerate() {
        if i == 0 {
            (out.first, out.index, out.second) = (v, 0, v);
        } else if before(v, out.first) {
            (out.second, out.first, out.index) = (out.first, v, i);
        } else if i == 1 || before(v, out.second) {
            out.second = v;
        }
        out.count += usize::from(counted(v));
    }
    out
}
