//! Automatic gain: talkers near and far from the panel come out equally loud.
//!
//! Only the near end's own speech moves the gain. Noise, pauses and above all the far end's echo leave it where it is: a gain
//! that rises while only the far end talks lifts the echo that is left by just as much (15 dB of it were measured in another
//! engine).

use crate::Rate;
use crate::sample::{Energy, RMS_0_DBM0, bounded};
use crate::talk::Talk;

/// Share of the newest block in the level of speech: about 300 ms of it.
const WEIGHT: f32 = 0.033;
/// Blocks of speech before the gain moves.
const SETTLED: u32 = 10;

/// Settings of an [`Agc`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgcConfig {
    /// Level that speech is brought to, dBm0; -30..=-5.
    pub target_dbm0: f32,
    /// Most that speech is turned up, dB; 0..=40.
    pub most_up_db: f32,
    /// Most that speech is turned down, dB; 0..=40.
    pub most_down_db: f32,
    /// How fast it is turned up, dB a second; 0.5..=40.
    pub up_db_per_s: f32,
}

impl Default for AgcConfig {
    fn default() -> AgcConfig {
        AgcConfig {
            target_dbm0: -14.0,
            most_up_db: 24.0,
            most_down_db: 15.0,
            up_db_per_s: 6.0,
        }
    }
}

/// Brings speech to a level. Blocks of any size, no delay; a limiter belongs behind it. It listens for 10 ms and moves during the
/// next 10.
#[derive(Debug, Clone)]
pub struct Agc {
    config: AgcConfig,
    /// Samples of 10 ms, and what has been heard of them.
    frame: usize,
    energy: Energy,
    step: f32,
    level: f32,
    speech: u32,
    gain_db: f32,
    factor: f32,
}

impl Agc {
    /// A gain of 0 dB at 8 kHz. Settings that are no numbers or out of range are brought into it.
    pub fn new(config: AgcConfig) -> Agc {
        Agc::at(Rate::Hz8000, config)
    }

    /// The same at any rate.
    pub fn at(rate: Rate, config: AgcConfig) -> Agc {
        let within = |value: f32, low: f32, high: f32, other: f32| {
            if value.is_nan() {
                other
            } else {
                value.clamp(low, high)
            }
        };
        let config = AgcConfig {
            target_dbm0: within(config.target_dbm0, -30.0, -5.0, -14.0),
            most_up_db: within(config.most_up_db, 0.0, 40.0, 0.0),
            most_down_db: within(config.most_down_db, 0.0, 40.0, 0.0),
            up_db_per_s: within(config.up_db_per_s, 0.5, 40.0, 6.0),
        };
        Agc {
            config,
            frame: rate.block(),
            energy: Energy::default(),
            step: 0.0,
            level: 0.0,
            speech: 0,
            gain_db: 0.0,
            factor: 1.0,
        }
    }

    /// Applies the gain, and moves it when the near end talks and nobody else. `talk` counts for the 10 ms that end within the
    /// block.
    pub fn process(&mut self, block: &mut [f32], talk: Talk) {
        let mut rest = block;
        while !rest.is_empty() {
            let room = self.frame - self.energy.count();
            let (now, later) = rest.split_at_mut(rest.len().min(room));
            self.energy.add(now);
            if self.step == 0.0 {
                let factor = self.factor;
                now.iter_mut().for_each(|s| *s = bounded(*s) * factor);
            } else {
                for sample in now {
                    self.factor += self.step;
                    *sample = bounded(*sample) * self.factor;
                }
            }
            if self.energy.count() == self.frame {
                self.listened(talk);
            }
            rest = later;
        }
    }

    /// 10 ms are over.
    fn listened(&mut self, talk: Talk) {
        let heard = self.energy.take() / self.frame as f32;
        // The end of the ramp, without the errors of its sums.
        if self.step != 0.0 {
            self.factor = 10.0_f32.powf(self.gain_db / 20.0);
            self.step = 0.0;
        }
        if talk.near && !talk.far {
            self.follow(heard);
            let target = 10.0_f32.powf(self.gain_db / 20.0);
            self.step = (target - self.factor) / self.frame as f32;
        }
    }

    /// The gain at the moment, dB.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    fn follow(&mut self, power: f32) {
        let weight = WEIGHT.max(1.0 / (self.speech + 1) as f32);
        self.level += weight * (power - self.level);
        self.speech = (self.speech + 1).min(10_000);
        if self.speech < SETTLED {
            return;
        }
        let level_dbm0 = 10.0 * (self.level / (RMS_0_DBM0 * RMS_0_DBM0)).max(1e-12).log10();
        let wanted = (self.config.target_dbm0 - level_dbm0)
            .clamp(-self.config.most_down_db, self.config.most_up_db);
        let up = self.config.up_db_per_s / 100.0;
        // Too loud is worse than too quiet: down three times as fast.
        self.gain_db += (wanted - self.gain_db).clamp(-3.0 * up, up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::BLOCK;

    const NEAR: Talk = Talk {
        far: false,
        near: true,
    };

    fn run(agc: &mut Agc, level: f32, talk: Talk, blocks: usize) -> f32 {
        let mut last = 0.0;
        for n in 0..blocks {
            let mut block: [f32; BLOCK] = std::array::from_fn(|i| {
                level * (0.7 * (n * BLOCK + i) as f32).sin() * std::f32::consts::SQRT_2
            });
            agc.process(&mut block, talk);
            last = crate::sample::mean_square(&block);
        }
        20.0 * (last.sqrt() / RMS_0_DBM0).log10()
    }

    #[test]
    fn quiet_and_loud_speech_come_to_the_same_level() {
        for level in [0.006, 0.02, 0.06, 0.18] {
            let mut agc = Agc::new(AgcConfig::default());
            let dbm0 = run(&mut agc, level, NEAR, 800);
            assert!((dbm0 - -14.0).abs() < 0.5, "{dbm0} dBm0 from {level}");
        }
    }

    #[test]
    fn it_stands_still_while_the_far_end_talks_and_in_pauses() {
        let mut agc = Agc::new(AgcConfig::default());
        run(&mut agc, 0.06, NEAR, 500);
        let before = agc.gain_db();
        for talk in [
            Talk {
                far: true,
                near: false,
            },
            Talk {
                far: true,
                near: true,
            },
            Talk::default(),
        ] {
            run(&mut agc, 0.001, talk, 3000);
            assert_eq!(agc.gain_db(), before, "{talk:?}");
        }
    }

    #[test]
    fn absurd_settings_leave_numbers() {
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
            let mut agc = Agc::new(AgcConfig {
                target_dbm0: odd,
                most_up_db: odd,
                most_down_db: odd,
                up_db_per_s: odd,
            });
            assert!(run(&mut agc, 0.1, NEAR, 100).is_finite());
        }
    }
}
