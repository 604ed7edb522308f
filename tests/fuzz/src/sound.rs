//! The sound of a call: chain, detectors, concealment and converters in blocks of any size, with any bits as samples and settings
//! that change meanwhile.

use dsp::Rate;
use dsp::agc::AgcConfig;
use dsp::chain::{Blocks, Chain, ChainConfig, EchoMode};
use dsp::concealment::Concealer;
use dsp::drift::Bridge;
use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade};
use dsp::echo::EchoPath;
use dsp::resample::Resampler;
use dsp::sample::to_i16;
use dsp::suppressor::{Suppressor, SuppressorConfig};
use dsp::tone::{ToneDetector, ToneSpec};
use std::time::Duration;

/// Samples that an input may bring at most: 6 s.
const MOST: usize = 48_000;

/// Reads an input; behind its end everything is zero.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// Any bits, or a number of everyday size: nonsense alone would reach little.
    fn float(&mut self) -> f32 {
        let kind = self.byte();
        if kind < 200 {
            return (f32::from(kind) - 100.0) / 10.0;
        }
        f32::from_bits(u32::from_le_bytes(std::array::from_fn(|_| self.byte())))
    }

    /// A block: a tone, noise, a square wave, silence, or a few samples of any bits over and over.
    fn block(&mut self, length: usize, place: usize) -> Vec<f32> {
        let (kind, level) = (self.byte(), f32::from(self.byte()) / 128.0);
        let wave = |n: usize| match kind % 5 {
            0 => level * ((place + n) as f32 * (0.02 + f32::from(kind) / 100.0)).sin(),
            1 => {
                let mixed = (place + n).wrapping_mul(2_654_435_761) >> 7 & 0xffff;
                level * (mixed as f32 / 32_768.0 - 1.0)
            }
            2 if ((place + n) / (1 + usize::from(kind) / 5)).is_multiple_of(2) => 1.0,
            2 => -1.0,
            _ => 0.0,
        };
        if kind % 5 < 4 {
            return (0..length).map(wave).collect();
        }
        let some: Vec<f32> = (0..1 + kind % 7).map(|_| self.float()).collect();
        some.iter().copied().cycle().take(length).collect()
    }
}

/// Everything that takes what comes from the line, beside the chain.
struct Others {
    digits: [DtmfDetector; 2],
    tones: ToneDetector,
    concealer: Concealer,
    suppressor: Suppressor,
    resampler: Resampler,
    bridge: Bridge,
    now: Duration,
}

impl Others {
    fn take(&mut self, block: &[f32], kind: u8) {
        for detector in &mut self.digits {
            detector.process(block, kind & 4 != 0);
            while let Some(event) = detector.poll() {
                let (DtmfEvent::Pressed { digit, .. } | DtmfEvent::Released { digit, .. }) = event;
                assert!("0123456789*#ABCD".contains(digit), "{event:?}");
            }
        }
        self.tones.process(block);
        while self.tones.poll().is_some() {}
        let mut words: Vec<i16> = block.iter().map(|s| to_i16(*s)).collect();
        if kind & 8 != 0 {
            self.concealer.conceal(&mut words);
        } else {
            self.concealer.good(&mut words);
        }
        let mut out = block.to_vec();
        self.suppressor.stream(&mut out);
        assert!(out.iter().all(|s| s.is_finite()), "suppressor");
        let mut out = vec![0.0; self.resampler.most_outputs(block.len())];
        self.resampler.process(block, &mut out);
        assert!(out.iter().all(|s| s.is_finite()), "resampler");
        // A stall, now and then.
        let stall = if kind & 32 != 0 { 500 } else { 0 };
        self.now += Duration::from_micros(block.len() as u64 * 125) + Duration::from_millis(stall);
        self.bridge.push(self.now, block);
        let mut out = vec![0.0; block.len()];
        self.bridge.pull(self.now, &mut out);
        assert!(out.iter().all(|s| s.is_finite()), "bridge");
    }
}

fn sane(chain: &Chain, blocks: [&[f32]; 2]) {
    for block in blocks {
        assert!(block.iter().all(|s| s.is_finite() && s.abs() <= 0.9));
    }
    assert!(chain.linear().iter().all(|s| s.is_finite()));
    let status = chain.status();
    let known = [
        status.erle_db,
        status.agc_db,
        status.from_line_dbm0,
        status.to_phone_dbm0,
        status.to_line_dbm0,
        status.echo_loss_db.unwrap_or(0.0),
        status.echo_delay_ms.unwrap_or(0.0),
    ];
    assert!(known.iter().all(|x| x.is_finite()), "{status:?}");
    assert!(
        status
            .echo_delay_ms
            .is_none_or(|ms| (0.0..=260.0).contains(&ms))
    );
}

/// Settings in the first bytes, then orders.
pub(crate) fn chain(data: &[u8]) {
    let mut reader = Reader(data);
    let kind = reader.byte();
    let rate = if kind & 1 == 0 {
        Rate::Hz8000
    } else {
        Rate::Hz16000
    };
    let mut config = ChainConfig {
        rate,
        blocks: [Blocks::Whole, Blocks::Any][usize::from(kind >> 1 & 1)],
        echo: [
            EchoMode::Full,
            EchoMode::Linear,
            EchoMode::Full,
            EchoMode::Off,
        ][usize::from(kind >> 2 & 3)],
        agc: (kind & 16 != 0).then(AgcConfig::default),
        voice_switch: kind & 32 == 0,
        howl_guard: kind & 64 == 0,
        ..ChainConfig::default()
    };
    if kind & 128 != 0 {
        config.suppressor = SuppressorConfig {
            noise_db: reader.float(),
            echo_db: reader.float(),
            comfort_noise: reader.byte() & 1 == 0,
        };
        config.to_line_db = reader.float();
        config.to_phone_db = reader.float();
        config.tail_ms = reader.word() as u32;
        config.agc = config.agc.map(|_| AgcConfig {
            target_dbm0: reader.float(),
            most_up_db: reader.float(),
            most_down_db: reader.float(),
            up_db_per_s: reader.float(),
        });
    }
    let mut chain = Chain::new(config);
    let mut others = Others {
        digits: [DtmfGrade::Dialling, DtmfGrade::Door].map(DtmfDetector::new),
        tones: ToneDetector::new(ToneSpec::single(425.0)),
        concealer: Concealer::new(),
        suppressor: Suppressor::new(config.suppressor),
        resampler: Resampler::new(8000, 16_000).expect("a known rate"),
        bridge: Bridge::new(40),
        now: Duration::ZERO,
    };
    let mut place = 0;
    while !reader.0.is_empty() && place < MOST {
        let order = reader.byte();
        match order % 16 {
            0 => chain.set_to_line_db(reader.float()),
            1 => chain.set_to_phone_db(reader.float()),
            2 => chain.push_to_talk([None, Some(true), Some(false)][usize::from(order) / 16 % 3]),
            3 => {
                chain.mute_to_line(order & 16 != 0);
                chain.mute_to_phone(order & 32 != 0);
            }
            4 => {
                if let Some(path) = chain.path() {
                    chain.start_from(&path);
                }
            }
            5 => {
                let delay = reader.word();
                let taps = (0..reader.byte()).map(|_| reader.float()).collect();
                chain.start_from(&EchoPath::new(rate, delay, taps));
            }
            // Most of the orders are sound: 10 ms, or any length up to 500 ms.
            _ => {
                let length = match order % 16 {
                    6..=10 => rate.block(),
                    11 => 1,
                    _ => 1 + reader.word() % (50 * rate.block()),
                };
                let mut far = reader.block(length, place);
                let mut mic = reader.block(length, place);
                if order & 16 != 0 {
                    // An echo rather than somebody else's sound.
                    mic = far.iter().map(|s| 0.4 * s).collect();
                }
                others.take(&mic, order);
                let (plays, hears) = (order & 192 != 64, order & 192 != 128);
                if plays {
                    chain.play(&mut far);
                } else {
                    far.clear();
                }
                if hears {
                    chain.hear(&mut mic);
                } else {
                    mic.clear();
                }
                sane(&chain, [&far, &mic]);
                place += length;
            }
        }
    }
    comes_through(&mut chain, rate);
}

/// A second and a half after whatever came, a voice is heard.
fn comes_through(chain: &mut Chain, rate: Rate) {
    chain.set_to_line_db(0.0);
    chain.set_to_phone_db(0.0);
    chain.push_to_talk(None);
    let (mut state, mut low, mut said, mut heard) = (1_u32, 0.0, 0.0, 0.0);
    for n in 0..250 {
        let mut block: Vec<f32> = (0..rate.block())
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                low += 0.3 * ((state >> 8) as f32 / 8_388_608.0 - 1.0 - low);
                0.3 * low * (1.0 + ((n * rate.block() + i) as f32 / 1200.0).sin())
            })
            .collect();
        let energy = |block: &[f32]| block.iter().map(|s| s * s).sum::<f32>();
        let before = energy(&block);
        let mut far = vec![0.0; block.len()];
        chain.play(&mut far);
        chain.hear(&mut block);
        sane(chain, [&far, &block]);
        if n >= 150 {
            said += before;
            heard += energy(&block);
        }
    }
    let kept = heard / said;
    assert!((0.003..100.0).contains(&kept), "{kept} of a voice");
}
