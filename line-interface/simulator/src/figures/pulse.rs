//! Pulse lines: every address with jitter and glitches, at the resolution of the capture.

use line_interface::pulse::{PulseEvent, PulseProfile, PulseReader};

use super::{Dice, Failure};

/// The wire as times of its edges in tenths of a microsecond, beginning low.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    /// Edges, in order.
    pub edges: Vec<u64>,
    /// End of the last hold.
    pub now: u64,
}

impl Wire {
    /// Holds the level for so many tenths of a microsecond, then turns it.
    pub fn hold(&mut self, tenths: u64) {
        self.now += tenths;
        self.edges.push(self.now);
    }

    /// The end of a reset and an address of `count` pulses, with everything the facts allow
    /// (line-facts 3): pulses of 20 to 24 us, gaps of 136 to 900 us now and then, glitches of up to
    /// 2 us between the pulses and inside them.
    #[must_use]
    pub fn address(count: u64, dice: &mut Dice) -> Self {
        let mut wire = Self {
            edges: Vec::new(),
            now: dice.between(0, 9),
        };
        // The transfer is armed within the reset; the rest of the low is 20 ms here.
        wire.hold(dice.between(190_000, 210_000));
        let mut high = dice.between(20_000, 24_000);
        let mut wide = 30;
        for _ in 0..count {
            // A glitch of up to 2 us somewhere in the high.
            if dice.between(0, 3) == 0 && high > 700 {
                let at = dice.between(100, high - 200);
                wire.hold(at);
                wire.hold(dice.between(1, 20));
                high -= at;
            }
            wire.hold(high);
            let low = dice.between(200, 240);
            if dice.between(0, 7) == 0 {
                // And one inside the pulse.
                wire.hold(100);
                wire.hold(dice.between(1, 15));
                wire.hold(low - 100);
            } else {
                wire.hold(low);
            }
            high = if wide > 0 && dice.between(0, 9) == 0 {
                wide -= 1;
                dice.between(1360, 9000)
            } else {
                dice.between(650, 900)
            };
        }
        wire
    }
}

/// What became of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Addresses in range that were sent.
    pub all: u64,
    /// Those read right.
    pub right: u64,
    /// Counts above 255 that were sent.
    pub beyond: u64,
    /// Those rejected.
    pub rejected: u64,
}

/// Every address `times` times, and counts of 256 to 400 now and then.
///
/// # Errors
/// When the profile is missing.
pub fn addresses(times: u64) -> Result<Addresses, Failure> {
    let profile = PulseProfile::builtin("laskomex-class").ok_or("no profile")?;
    let mut dice = Dice::new(2);
    let mut done = Addresses::default();
    for count in 1..=400 {
        let known = count <= 255;
        for _ in 0..if known { times } else { times.div_ceil(100) } {
            let seen = read(&profile, &Wire::address(count, &mut dice));
            if known {
                done.all += 1;
                done.right += u64::from(seen == Some(count));
            } else {
                done.beyond += 1;
                done.rejected += u64::from(seen.is_none());
            }
        }
    }
    Ok(done)
}

/// The address that is read from a wire in steps of a microsecond.
fn read(profile: &PulseProfile, wire: &Wire) -> Option<u64> {
    let mut reader = PulseReader::new(profile.address.clone());
    reader.edge(18_000, false);
    let (mut high, mut seen) = (false, None);
    let mut take = |event| match event {
        Some(PulseEvent::Address { address, .. }) => seen = Some(u64::from(address)),
        Some(PulseEvent::Rejected { .. }) => seen = None,
        _ => {}
    };
    let mut edges = wire
        .edges
        .iter()
        .map(|at| 200_000 + at.div_ceil(10))
        .peekable();
    while let Some(at) = edges.next() {
        high = !high;
        // Two edges within one bit vanish, as they do in the controller.
        if edges.peek() == Some(&at) {
            edges.next();
            high = !high;
            continue;
        }
        take(reader.edge(at, high));
    }
    take(reader.advance(200_000 + wire.now / 10 + 10));
    take(reader.advance(200_000 + wire.now / 10 + 3000));
    seen
}
