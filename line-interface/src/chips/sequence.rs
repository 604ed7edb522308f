//! In which order loads and relay move, so that no moment on the line looks like the door button,
//! like a lifted handset or like nobody at all (board-schematics, "Order").

use super::map::{BoardMap, Switched};
use crate::card::{BLOCK_MS, Drive, HandsetRelay, Load};

/// From the drive that is wanted to what is switched on in each block.
#[derive(Debug, Clone, Copy)]
pub struct Sequence {
    overlap_blocks: u64,
    relay_blocks: u64,
    wanted: Drive,
    /// Both hook loads are on for so many more blocks.
    overlap: u64,
    /// The relay is on its way for so many more blocks.
    travel: u64,
    now: Switched,
}

impl Sequence {
    /// A card with everything off.
    #[must_use]
    pub fn new(map: &BoardMap) -> Self {
        Self {
            overlap_blocks: map.overlap_ms.div_ceil(BLOCK_MS),
            relay_blocks: map.relay_ms.div_ceil(BLOCK_MS),
            wanted: Drive::SAFE,
            overlap: 0,
            travel: 0,
            now: Switched::default(),
        }
    }

    /// Everything is off: the card was started or has lost its supply.
    pub fn reset(&mut self) {
        self.wanted = Drive::SAFE;
        self.overlap = 0;
        self.travel = 0;
        self.now = Switched::default();
    }

    /// What is switched on in the coming block for a drive.
    ///
    /// - Taking the line: the load first, the relay one relay travel later, for the panel must not
    ///   see the old handset go before ours is there.
    /// - Giving it back: the relay first, the load once the handset is on the line.
    /// - From one hook load to the other: both for the board's overlap.
    /// - The door button and its end: at once, one write.
    pub fn next(&mut self, drive: Drive) -> Switched {
        if drive != self.wanted {
            let hook = |load| matches!(load, Load::OnHook | Load::OffHook);
            self.overlap =
                if self.wanted.load != drive.load && hook(self.wanted.load) && hook(drive.load) {
                    self.overlap_blocks
                } else {
                    0
                };
            if drive.relay != self.wanted.relay {
                self.travel = self.relay_blocks;
            }
            self.wanted = drive;
        }
        let mut next = Switched::of(drive);
        if self.overlap > 0 {
            self.overlap -= 1;
            (next.on_hook, next.off_hook) = (true, true);
        }
        if self.travel > 0 {
            self.travel -= 1;
            match drive.relay {
                // Ours is on; theirs still is. A relay that isolates without a load of ours has
                // nothing to wait for.
                HandsetRelay::Isolated => next.isolated = drive.load == Load::Off,
                // Theirs is on its way; ours stays. The door's residue is no handset: it goes.
                HandsetRelay::Through if drive.load == Load::Off => {
                    next.on_hook = self.now.on_hook;
                    next.off_hook = self.now.off_hook;
                }
                HandsetRelay::Through => {}
            }
        }
        self.now = next;
        next
    }

    /// What is switched on in the present block.
    #[must_use]
    pub const fn now(&self) -> Switched {
        self.now
    }
}
