//! Keys as tones in the sound of the peer, for PBXes that send nothing else. Off unless the settings ask for it.
//!
//! What the street says must never be a key, and the phone's side gives some of it back: its acoustic echo, a hybrid, an
//! echo test. So every digit found is held against what we sent in the last seconds: when both of its tones may be an echo
//! of that, it is no key.

use std::time::Duration;

use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade, HIGH_HZ, LOW_HZ, row_and_column};
use dsp::sample::{dbm0_of_mean_square, to_f32};
use dsp::tone::GoertzelBank;

use crate::BLOCK_SAMPLES;

/// Length of one entry of the list of what was sent.
const SLOT: Duration = Duration::from_millis(250);
/// Entries: an echo may be 3 s old.
const SLOTS: usize = 12;
/// How much louder than what was sent an echo may come back, dB: automatic gains of phones and bridges lift it.
const LARGEST_ECHO_GAIN_DB: f32 = 12.0;

/// Detector and guard of one session.
#[derive(Debug)]
pub(crate) struct InbandReceiver {
    detector: Box<DtmfDetector>,
    sent: GoertzelBank,
    /// Blocks in the bank.
    blocks: u32,
    /// Largest levels of the eight tones among what was sent, dBm0, by quarter of a second.
    slots: [[f32; 8]; SLOTS],
    slot: u128,
    /// Digits that may have been our own echo.
    pub(crate) echoes: u64,
}

impl InbandReceiver {
    pub(crate) fn new() -> InbandReceiver {
        let hz = std::array::from_fn(|i| if i < 4 { LOW_HZ[i] } else { HIGH_HZ[i - 4] });
        InbandReceiver {
            detector: Box::new(DtmfDetector::new(DtmfGrade::Door)),
            sent: GoertzelBank::new(hz),
            blocks: 0,
            slots: [[f32::NEG_INFINITY; 8]; SLOTS],
            slot: 0,
            echoes: 0,
        }
    }

    /// Takes 10 ms of what goes to the peer.
    pub(crate) fn sending(&mut self, now: Duration, samples: &[i16; BLOCK_SAMPLES]) {
        self.turn(now);
        self.sent.push(&samples.map(to_f32));
        self.blocks += 1;
        if self.blocks < 2 {
            return;
        }
        self.blocks = 0;
        let length = 2.0 * BLOCK_SAMPLES as f32;
        let levels = self.sent.finish().map(|(re, im)| {
            // A sine of amplitude A gives A N / 2; its mean square is A^2 / 2.
            dbm0_of_mean_square(2.0 * (re * re + im * im) / (length * length))
        });
        let index = self.index();
        for (largest, level) in self.slots[index].iter_mut().zip(levels) {
            *largest = largest.max(level);
        }
    }

    /// Takes 10 ms of what comes from the peer; `made_up` when a part of it was concealed. Gives the key that became sure.
    pub(crate) fn received(
        &mut self,
        now: Duration,
        samples: &[i16; BLOCK_SAMPLES],
        made_up: bool,
    ) -> Option<char> {
        self.turn(now);
        self.detector.process(&samples.map(to_f32), made_up);
        let mut found = None;
        while let Some(event) = self.detector.poll() {
            let DtmfEvent::Pressed {
                digit,
                level_dbm0,
                twist_db,
                ..
            } = event
            else {
                continue;
            };
            if self.may_be_echo(digit, level_dbm0, twist_db) {
                self.echoes += 1;
            } else {
                found = Some(digit);
            }
        }
        found
    }

    /// Whether both tones of a digit may be what we sent, come back.
    fn may_be_echo(&self, digit: char, level_dbm0: f32, twist_db: f32) -> bool {
        let Some((row, column)) = row_and_column(digit) else {
            return true;
        };
        // The level is that of both tones together, the twist high over low.
        let share = 10_f32.powf(twist_db / 10.0);
        let low = level_dbm0 - 10.0 * (1.0 + share).log10();
        let high = low + twist_db;
        let sent = |tone: usize| {
            let levels = self.slots.iter().map(|slot| slot[tone]);
            levels.fold(f32::NEG_INFINITY, f32::max)
        };
        sent(row) + LARGEST_ECHO_GAIN_DB >= low && sent(4 + column) + LARGEST_ECHO_GAIN_DB >= high
    }

    /// Forgets what is too old.
    fn turn(&mut self, now: Duration) {
        let slot = now.as_millis() / SLOT.as_millis();
        let steps = slot.saturating_sub(self.slot).min(SLOTS as u128);
        for back in 0..steps {
            let index = ((slot - back) % SLOTS as u128) as usize;
            self.slots[index] = [f32::NEG_INFINITY; 8];
        }
        self.slot = self.slot.max(slot);
    }

    fn index(&self) -> usize {
        (self.slot % SLOTS as u128) as usize
    }
}
