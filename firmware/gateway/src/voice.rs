//! What happens to the sound between the line and the phone.
//!
//! On a two-wire line our own signal comes back: the hybrid lets a part of it through, and the
//! panel's loudspeaker reaches its microphone. [`dsp::chain`] takes it out; here it is only set up
//! and fed.

use std::collections::BTreeMap;

use config::EchoControl;
use dsp::chain::{Chain, ChainConfig, ChainStatus, EchoMode};
use dsp::echo::{BLOCK, EchoPath};
use dsp::sample::{self, dbm0_of_mean_square};

/// Mean square of -45 dBm0: blocks quieter than this are pauses.
const SPEECH_MEAN_SQUARE: f32 = 8e-6;

/// Most echo paths that are kept for one line.
const MOST_PATHS: usize = 256;

/// Sound processing of one line. It outlives a call: the next one on the same pair starts with
/// the echo path that the last one has learned.
#[derive(Debug)]
pub(crate) struct Voice {
    chain: Chain,
    /// The apartment whose echo path the chain holds.
    apartment: Option<u16>,
    /// Echo paths of other apartments of the line; 2 kB each.
    paths: BTreeMap<u16, EchoPath>,
    from_line: Speech,
    to_phone: Speech,
    from_phone: Speech,
    to_line: Speech,
    blocks: u32,
    /// The echo path as it was learned one and two looks ago. The last moments of a call spoil it: the panel is gone before
    /// the line says so, and nothing comes back.
    learned: [Option<EchoPath>; 2],
}

/// Blocks between looks at what was learned, 1 s.
const LOOK: u32 = 100;

/// Gains of a call, dB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gains {
    pub(crate) to_line_db: f32,
    pub(crate) to_phone_db: f32,
}

/// Mean levels of the speech of a call, dBm0; `None` where nobody has spoken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Levels {
    pub(crate) from_line: Option<f32>,
    pub(crate) to_phone: Option<f32>,
    pub(crate) from_phone: Option<f32>,
    pub(crate) to_line: Option<f32>,
}

/// Energy of the blocks in which somebody speaks.
#[derive(Debug, Clone, Copy, Default)]
struct Speech {
    energy: f64,
    blocks: u32,
}

impl Speech {
    fn take(&mut self, block: &[f32; BLOCK]) {
        let mean_square = sample::mean_square(block);
        if mean_square > SPEECH_MEAN_SQUARE {
            self.energy += f64::from(mean_square);
            self.blocks += 1;
        }
    }

    fn dbm0(&self) -> Option<f32> {
        let mean = self.energy / f64::from(self.blocks.max(1));
        (self.blocks > 0).then(|| dbm0_of_mean_square(mean as f32))
    }
}

impl Voice {
    /// A chain as the configuration wants it.
    pub(crate) fn new(media: &config::Media) -> Voice {
        let chain = ChainConfig {
            echo: match media.echo_control {
                EchoControl::Full => EchoMode::Full,
                EchoControl::Linear => EchoMode::Linear,
                EchoControl::Off => EchoMode::Off,
            },
            tail_ms: media.echo_tail_ms,
            ..ChainConfig::default()
        };
        Voice::with(chain)
    }

    fn with(chain: ChainConfig) -> Voice {
        Voice {
            chain: Chain::new(chain),
            apartment: None,
            paths: BTreeMap::new(),
            from_line: Speech::default(),
            to_phone: Speech::default(),
            from_phone: Speech::default(),
            to_line: Speech::default(),
            blocks: 0,
            learned: [None, None],
        }
    }

    /// The echo path of an apartment as it was learned in an earlier life, where this life knows none.
    pub(crate) fn know(&mut self, apartment: u16, path: &EchoPath) {
        let unknown = self.apartment != Some(apartment) && !self.paths.contains_key(&apartment);
        if unknown && self.paths.len() < MOST_PATHS {
            self.paths.insert(apartment, path.clone());
        }
    }

    /// The apartment and what was learned of its echo path, when that is worth keeping.
    pub(crate) fn learned(&mut self) -> Option<(u16, EchoPath)> {
        self.apartment.zip(self.learned[1].take())
    }

    /// Another call begins: the echo path of its apartment, its gains, both directions open, levels from the start.
    pub(crate) fn begin(&mut self, apartment: Option<u16>, gains: Gains) {
        self.change_path(apartment);
        self.learned = [None, None];
        self.blocks = 0;
        self.chain.set_to_line_db(gains.to_line_db);
        self.chain.set_to_phone_db(gains.to_phone_db);
        self.mute(false, false);
        for speech in [
            &mut self.from_line,
            &mut self.to_phone,
            &mut self.from_phone,
            &mut self.to_line,
        ] {
            *speech = Speech::default();
        }
    }

    /// Each apartment's pair and handset have an echo path of their own. What was learned for one is kept for its next call; a
    /// call of an apartment without one starts from the last path, which is nearer than nothing.
    fn change_path(&mut self, apartment: Option<u16>) {
        if apartment == self.apartment {
            return;
        }
        if let (Some(before), Some(path)) = (self.apartment, self.chain.path()) {
            if self.paths.len() >= MOST_PATHS {
                self.paths.pop_first();
            }
            self.paths.insert(before, path);
        }
        if let Some(path) = apartment.and_then(|apartment| self.paths.remove(&apartment)) {
            self.chain.start_from(&path);
        }
        self.apartment = apartment;
    }

    /// Silences directions of the call, or opens them.
    pub(crate) fn mute(&mut self, to_line: bool, to_phone: bool) {
        self.chain.mute_to_line(to_line);
        self.chain.mute_to_phone(to_phone);
    }

    /// Takes what goes to the line in the coming block, and makes it what the line shall play.
    pub(crate) fn play(&mut self, audio: &mut [i16; BLOCK]) {
        let mut far = [0.0; BLOCK];
        sample::block_to_f32(audio, &mut far);
        self.from_phone.take(&far);
        self.chain.play(&mut far);
        self.to_line.take(&far);
        sample::block_to_i16(&far, audio);
    }

    /// Takes what came from the line and gives what the phone shall hear.
    pub(crate) fn hear(&mut self, audio: &[i16; BLOCK]) -> [i16; BLOCK] {
        let mut near = [0.0; BLOCK];
        sample::block_to_f32(audio, &mut near);
        self.blocks = self.blocks.wrapping_add(1);
        if self.blocks.is_multiple_of(LOOK)
            && let Some(path) = self.chain.path()
        {
            self.learned = [Some(path), self.learned[0].take()];
        }
        self.from_line.take(&near);
        self.chain.hear(&mut near);
        self.to_phone.take(&near);
        let mut heard = [0; BLOCK];
        sample::block_to_i16(&near, &mut heard);
        heard
    }

    /// Echo, levels and mode as they are now.
    pub(crate) fn status(&self) -> ChainStatus {
        self.chain.status()
    }

    /// Levels of the speech since the call began.
    pub(crate) fn levels(&self) -> Levels {
        Levels {
            from_line: self.from_line.dbm0(),
            to_phone: self.to_phone.dbm0(),
            from_phone: self.from_phone.dbm0(),
            to_line: self.to_line.dbm0(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_speech_is_the_level_it_says() {
        assert!((dbm0_of_mean_square(SPEECH_MEAN_SQUARE) + 45.0).abs() < 0.5);
    }

    /// Plays noise through this echo for some seconds; gives how much of it is left in the last half second.
    fn call(voice: &mut Voice, gain: f32, delay: usize, seconds: usize) -> f32 {
        let mut state = 1_u32;
        let mut played = vec![0_i16; delay];
        let (mut before, mut after) = (0.0, 0.0);
        for n in 0..seconds * 100 {
            let mut block: [i16; BLOCK] = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16 / 8
            });
            voice.play(&mut block);
            played.extend(block);
            let echo: [i16; BLOCK] =
                std::array::from_fn(|i| (f32::from(played[n * BLOCK + i]) * gain) as i16);
            let heard = voice.hear(&echo);
            if n + 50 >= seconds * 100 {
                before += echo.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>();
                after += heard.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>();
            }
        }
        after / before
    }

    #[test]
    fn each_apartment_starts_with_its_own_echo_path() {
        let mut voice = Voice::with(ChainConfig {
            echo: EchoMode::Linear,
            howl_guard: false,
            ..ChainConfig::default()
        });
        voice.begin(Some(7), Gains::default());
        assert!(call(&mut voice, 0.4, 20, 5) < 0.01);
        voice.begin(Some(8), Gains::default());
        assert!(call(&mut voice, 0.5, 300, 5) < 0.01);
        assert_eq!(voice.paths.len(), 1);
        voice.begin(Some(7), Gains::default());
        // The first half second of a call would otherwise be spent on unlearning.
        let known = call(&mut voice, 0.4, 20, 1);
        let mut other = Voice::with(*voice.chain.config());
        other.begin(Some(8), Gains::default());
        call(&mut other, 0.5, 300, 5);
        let unknown = call(&mut other, 0.4, 20, 1);
        assert!(known < 0.01 && known < unknown, "{known} {unknown}");
    }

    #[test]
    fn the_level_of_speech_leaves_pauses_out() {
        let mut speech = Speech::default();
        assert_eq!(speech.dbm0(), None);
        for block in 0..100 {
            // A sine of full scale is 3.14 dBm0; every other block is silent.
            let on = if block % 2 == 0 { 0.1 } else { 0.0 };
            speech.take(&std::array::from_fn(|n| {
                (n as f32 * std::f32::consts::TAU / 8.0).sin() * on
            }));
        }
        let level = speech.dbm0().unwrap();
        assert!((level + 16.86).abs() < 0.1, "{level}");
    }
}
