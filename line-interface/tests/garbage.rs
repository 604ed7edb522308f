//! Listeners and readers survive any reading, and keep their memory bounded.

#![allow(clippy::unwrap_used)]

use line_interface::matrix::{MatrixReader, SCANS_PER_BLOCK, TapBlock, TapLayout};
use line_interface::observe::{MatrixObserver, PairObserver, PulseObserver};
use line_interface::pulse::PulseProfile;
use line_interface::switch::Switch;
use line_interface::{Profile, SenseBlock};

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn volts(&mut self) -> f32 {
        match self.below(12) {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            3 => -11.0,
            4 => f32::MAX,
            n => [0.0, 0.1, 2.5, 6.4, 11.0, 24.0, 0.6][n as usize - 5],
        }
    }
}

#[test]
fn nonsense_breaks_no_listener() {
    for n in 0..6 {
        let mut dice = Dice(n);
        let profile = Profile::builtin("custom").unwrap();
        let switch = Switch::builtin("com-25u").unwrap();
        let taps = TapLayout::new(&switch).taps();
        let mut pair = PairObserver::new(profile.clone(), n % 2 == 0);
        let mut matrix = MatrixObserver::new(profile.clone(), &switch);
        let mut reader = MatrixReader::new(&profile, &switch);
        let mut pulse = PulseObserver::new(PulseProfile::builtin("laskomex-class").unwrap());
        let (mut block, mut at_us) = (TapBlock::new(taps), 0);
        for _ in 0..2000 {
            let mut sense = SenseBlock::default();
            // A situation that is held, or noise of anything.
            let held = (dice.below(3) > 0).then(|| dice.volts());
            for v in &mut sense.line_volts {
                *v = held.unwrap_or_else(|| dice.volts());
            }
            pair.handle_block(&sense);
            let lines: Vec<[f32; 80]> = (0..taps).map(|_| [dice.volts(); 80]).collect();
            matrix.handle_block(&lines);
            for scan in 0..SCANS_PER_BLOCK {
                for v in block.scan_mut(scan) {
                    *v = dice.volts();
                }
            }
            reader.handle_block(&block);
            for _ in 0..50 {
                at_us = match dice.below(50) {
                    0 => dice.below(u64::from(u32::MAX)),
                    _ => at_us + dice.below(300),
                };
                pulse.sample(at_us, dice.volts());
            }
            pulse.handle_block(&sense);
            while pair.poll().is_some() || matrix.poll().is_some() || pulse.poll().is_some() {}
        }
        pair.finish();
        matrix.finish();
        pulse.finish();
        assert!(pair.levels().bursts.len() <= 256);
    }
}
