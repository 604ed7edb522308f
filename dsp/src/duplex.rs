//! The last resort against echo: one direction at a time.
//!
//! How much of what is sent to the line comes back to the phone is measured all the time, behind everything that is done
//! against it. Only when that loss stays too small are both directions no longer open at once: the quieter talker's is turned
//! down until the other one pauses (ITU-T P.340 calls it an attenuation range). As soon as the loss is good again, both are
//! open.

use crate::Rate;
use crate::sample::{Energy, bounded, mean_square};

/// Loss below which both directions cannot be open, dB...
const POOR_DB: f32 = 10.0;
/// ...and from which they can again.
const GOOD_DB: f32 = 17.0;
/// Far-end speech before the loss counts, blocks (4 s): the canceller needs some of it to learn.
const LEARNING: u32 = 400;
/// Share of the blocks that lie below the measured loss. Blocks in which the near end talks show too little loss, so
/// the echo alone is found near the top.
const QUANTILE: f32 = 0.9;
/// How far the measured loss moves in a block, dB.
const STEP_DB: f32 = 0.15;
/// How far the closed direction is turned down, dB.
const RANGE_DB: f32 = 24.0;
/// Blocks that a direction stays open behind the last word, 250 ms.
const HANG: u32 = 25;
/// Mean square from which someone talks, about -50 dBFS.
const AUDIBLE: f32 = 1e-5;

/// Who has the word in half duplex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    Nobody,
    Phone,
    Line,
}

/// Measures the loss and turns a direction down when it must be. No delay; [`VoiceSwitch::to_line`] takes blocks of any size, the
/// others blocks of 10 ms.
#[derive(Debug, Clone)]
pub struct VoiceSwitch {
    /// Samples of 10 ms, and what has gone to the line of them.
    frame: usize,
    energy: Energy,
    line_step: f32,
    loss_db: f32,
    far_blocks: u32,
    half: bool,
    floor: Floor,
    hang: u32,
    /// What the phone says before the switch, and what the line plays, both with the decay of an echo.
    phone: f32,
    played: f32,
    /// Both over about 120 ms.
    mean_played: f32,
    mean_heard: f32,
    line_gain: f32,
    phone_gain: f32,
    line_target: f32,
    phone_target: f32,
}

impl Default for VoiceSwitch {
    fn default() -> Self {
        VoiceSwitch::new()
    }
}

impl VoiceSwitch {
    /// Both directions open, nothing known, 8 kHz.
    pub fn new() -> VoiceSwitch {
        VoiceSwitch::at(Rate::Hz8000)
    }

    /// The same at any rate.
    pub fn at(rate: Rate) -> VoiceSwitch {
        VoiceSwitch {
            frame: rate.block(),
            energy: Energy::default(),
            line_step: 0.0,
            loss_db: 20.0,
            far_blocks: 0,
            half: false,
            floor: Floor::Nobody,
            hang: 0,
            phone: 0.0,
            played: 0.0,
            mean_played: 0.0,
            mean_heard: 0.0,
            line_gain: 1.0,
            phone_gain: 1.0,
            line_target: 1.0,
            phone_target: 1.0,
        }
    }

    /// Whether the directions take turns at the moment.
    pub fn is_half(&self) -> bool {
        self.half
    }

    /// The loss that was measured, dB; `None` before enough far-end speech.
    pub fn loss_db(&self) -> Option<f32> {
        (self.far_blocks >= LEARNING).then_some(self.loss_db)
    }

    /// The direction to the line.
    pub fn to_line(&mut self, block: &mut [f32]) {
        let mut rest = block;
        while !rest.is_empty() {
            if self.energy.count() == 0 {
                self.line_step = (self.line_target - self.line_gain) / self.frame as f32;
            }
            let room = self.frame - self.energy.count();
            let (now, later) = rest.split_at_mut(rest.len().min(room));
            self.energy.add(now);
            ramp(now, &mut self.line_gain, self.line_step);
            if self.energy.count() == self.frame {
                self.gone_to_line();
            }
            rest = later;
        }
    }

    /// 10 ms have gone to the line.
    fn gone_to_line(&mut self) {
        // The end of the ramp, without the errors of its sums.
        if (self.line_target - self.line_gain).abs() < 1e-3 {
            self.line_gain = self.line_target;
        }
        let mean = self.energy.take() / self.frame as f32;
        self.phone = mean.max(0.8 * self.phone);
        if self.phone < 1e-15 {
            self.phone = 0.0;
        }
    }

    /// Takes a block of both directions: `played` to the line, and `heard` as the phone would hear it.
    pub fn judge(&mut self, played: &[f32], heard: &[f32]) {
        self.judge_powers(mean_square(played), mean_square(heard));
    }

    /// The same of the mean squares of both.
    pub(crate) fn judge_powers(&mut self, played: f32, heard: f32) {
        self.played = played.max(0.8 * self.played);
        self.mean_played += 0.08 * (played - self.mean_played);
        self.mean_heard += 0.08 * (heard - self.mean_heard);
        for mean in [
            &mut self.played,
            &mut self.mean_played,
            &mut self.mean_heard,
        ] {
            if *mean < 1e-15 {
                *mean = 0.0;
            }
        }
        if self.mean_played > AUDIBLE {
            let loss = 10.0 * (self.mean_played / self.mean_heard.max(1e-12)).log10();
            let up = loss > self.loss_db;
            self.loss_db += STEP_DB * if up { QUANTILE } else { QUANTILE - 1.0 };
            self.loss_db = self.loss_db.clamp(-10.0, 60.0);
            self.far_blocks = self.far_blocks.saturating_add(1);
        }
        if self.far_blocks >= LEARNING {
            let mark = if self.half { GOOD_DB } else { POOR_DB };
            self.half = self.loss_db < mark;
        }
        self.take_turns(heard);
    }

    /// The direction to the phone.
    pub fn to_phone(&mut self, block: &mut [f32]) {
        turn(block, &mut self.phone_gain, self.phone_target);
    }

    fn take_turns(&mut self, heard: f32) {
        (self.line_target, self.phone_target) = (1.0, 1.0);
        if !self.half {
            self.floor = Floor::Nobody;
            return;
        }
        // 6 dB above the echo that must be expected.
        let echo = 4.0 * self.played * 10.0_f32.powf(-self.loss_db / 10.0);
        let line_talks = heard > AUDIBLE && heard > echo;
        let phone_talks = self.phone > AUDIBLE;
        let next = match self.floor {
            // Louder by 3 dB breaks in.
            Floor::Line if phone_talks && self.phone > 2.0 * heard => Floor::Phone,
            Floor::Phone if line_talks => Floor::Line,
            Floor::Nobody if line_talks => Floor::Line,
            Floor::Nobody if phone_talks => Floor::Phone,
            other => other,
        };
        let goes_on = match next {
            Floor::Nobody => false,
            Floor::Phone => phone_talks,
            Floor::Line => line_talks,
        };
        if next != self.floor || goes_on {
            self.hang = HANG;
        } else {
            self.hang = self.hang.saturating_sub(1);
        }
        self.floor = if self.hang == 0 { Floor::Nobody } else { next };
        let closed = 10.0_f32.powf(-RANGE_DB / 20.0);
        match self.floor {
            Floor::Nobody => {}
            Floor::Phone => self.phone_target = closed,
            Floor::Line => self.line_target = closed,
        }
    }
}

/// Moves a gain to its target along one block.
fn turn(block: &mut [f32], gain: &mut f32, target: f32) {
    let step = (target - *gain) / block.len().max(1) as f32;
    ramp(block, gain, step);
    *gain = target;
}

/// A gain that moves by a step with each sample.
fn ramp(block: &mut [f32], gain: &mut f32, step: f32) {
    if step == 0.0 {
        let gain = *gain;
        block.iter_mut().for_each(|s| *s = bounded(*s) * gain);
        return;
    }
    for sample in block {
        *gain += step;
        *sample = bounded(*sample) * *gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::BLOCK;

    fn block(level: f32, n: usize) -> [f32; BLOCK] {
        // Words of 1 s with pauses of 0.3 s.
        let talks = if n % 130 < 100 { level } else { 0.0 };
        std::array::from_fn(|i| talks * (0.9 * (n * BLOCK + i) as f32).sin())
    }

    /// Runs a call in which this share of the played sound comes back; gives the levels of both directions at the end.
    fn call(echo: f32, phone: f32, line: f32, blocks: usize) -> (VoiceSwitch, f32, f32) {
        let mut switch = VoiceSwitch::new();
        let (mut to_line, mut to_phone) = (0.0, 0.0);
        for n in 0..blocks {
            let mut played = block(phone, n);
            switch.to_line(&mut played);
            let near = block(line, n + 65);
            let mut heard: [f32; BLOCK] = std::array::from_fn(|i| echo * played[i] + near[i]);
            switch.judge(&played, &heard);
            switch.to_phone(&mut heard);
            if n + 500 > blocks {
                to_line += mean_square(&played);
                to_phone += mean_square(&heard);
            }
        }
        (switch, to_line, to_phone)
    }

    #[test]
    fn a_good_loss_leaves_both_directions_open() {
        for line in [0.0, 0.1] {
            let (switch, to_line, _) = call(0.03, 0.2, line, 3000);
            assert!(!switch.is_half(), "{:?}", switch.loss_db());
            let (_, untouched, _) = call(0.0, 0.2, 0.0, 3000);
            assert!((to_line / untouched - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn a_poor_loss_closes_the_listener_and_a_louder_one_breaks_in() {
        let (switch, _, to_phone) = call(0.6, 0.2, 0.0, 3000);
        assert!(switch.is_half());
        let (_, _, open) = call(0.2, 0.2, 0.0, 3000);
        // 9.5 dB more echo, and yet 10 dB less of it is heard.
        assert!(to_phone < 0.1 * open, "{to_phone} of {open}");
        let (switch, to_line, _) = call(0.6, 0.05, 0.3, 3000);
        assert!(switch.is_half());
        let (_, alone, _) = call(0.6, 0.05, 0.0, 3000);
        assert!(to_line < 0.8 * alone, "{to_line} of {alone}");
    }

    #[test]
    fn it_opens_again_when_the_loss_gets_better() {
        let mut switch = call(0.6, 0.2, 0.0, 3000).0;
        for n in 0..3000 {
            let mut played = block(0.2, n);
            switch.to_line(&mut played);
            let heard = played.map(|s| 0.02 * s);
            switch.judge(&played, &heard);
        }
        assert!(!switch.is_half(), "{:?}", switch.loss_db());
    }
}
