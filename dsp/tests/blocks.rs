//! Every streaming type in blocks of any size: cut at random, the same sound gives the same bits and findings as in one piece. Beside
//! it, that nothing allocates once it is set up.

#![allow(missing_docs, clippy::unwrap_used)]

use dsp::Rate;
use dsp::agc::{Agc, AgcConfig};
use dsp::chain::{Blocks, Chain, ChainConfig, EchoMode};
use dsp::concealment::Concealer;
use dsp::drift::Bridge;
use dsp::dtmf::{DtmfDetector, DtmfGenerator, DtmfGrade};
use dsp::duplex::VoiceSwitch;
use dsp::howl::{HowlDetector, HowlGuard};
use dsp::level::{Gain, LevelMeter, Limiter, Ramp};
use dsp::resample::Resampler;
use dsp::sample::to_i16;
use dsp::suppressor::{Suppressor, SuppressorConfig};
use dsp::talk::Talk;
use dsp::tone::{Cadence, ToneDetector, ToneGenerator, ToneSpec};

const SECOND: usize = 8000;
/// Samples of the sound that everything is fed with: whole frames at 8 and 16 kHz.
const LENGTH: usize = 6 * SECOND;
const PACKET: usize = 160;

struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }

    /// Lengths of blocks from one sample to 500 ms, short ones more often.
    fn blocks(&mut self, mut left: usize) -> Vec<usize> {
        let mut lengths = Vec::new();
        while left > 0 {
            let longest = [1, 3, 81, 160, 700, 4000][self.next() as usize % 6];
            let length = (1 + self.next() as usize % longest).min(left);
            lengths.push(length);
            left -= length;
        }
        lengths
    }
}

/// Noise in syllables.
fn babble(count: usize, seed: u32, level: f32) -> Vec<f32> {
    let (mut random, mut low) = (Random(seed), 0.0);
    (0..count)
        .map(|n| {
            low += 0.3 * (random.next() as f32 / 8_388_608.0 - 1.0 - low);
            level * low * (1.0 + (n as f32 / 1200.0).sin())
        })
        .collect()
}

/// Speech, digits, a tone, feedback that grows into its limit, overload, silence and nonsense.
fn sound() -> Vec<f32> {
    let mut all = babble(2 * SECOND, 3, 0.6);
    let mut keys = DtmfGenerator::new(90, 70, -12.0, -10.0);
    assert!("159#".chars().all(|key| keys.push(key)));
    let mut part = vec![0.0; SECOND];
    keys.fill(&mut part);
    all.extend(&part);
    ToneGenerator::sine(425.0, -12.0).fill(&mut part);
    all.extend(&part);
    all.extend((0..SECOND).map(|n| {
        let grown = (0.001 * 1.0008_f32.powi(n as i32)).min(1.5);
        grown * (n as f32 * 1130.0 * std::f32::consts::TAU / 8000.0).sin()
    }));
    all.extend(vec![0.0; 1000]);
    all.extend((0..2000).map(|n| if n % 97 == 0 { f32::NAN } else { 3.0 }));
    all.resize(LENGTH, 0.01);
    all
}

/// Takes a block and gives the bits of what comes of it.
type Processor = Box<dyn FnMut(&[f32]) -> Vec<u32>>;

fn bits(samples: &[f32]) -> Vec<u32> {
    samples.iter().map(|s| s.to_bits()).collect()
}

fn in_place(mut process: impl FnMut(&mut [f32]) + 'static) -> Processor {
    Box::new(move |block| {
        let mut out = block.to_vec();
        process(&mut out);
        bits(&out)
    })
}

/// A generator: the blocks give only the lengths.
fn filled(mut fill: impl FnMut(&mut [f32]) + 'static) -> Processor {
    in_place(move |out| fill(out))
}

/// Something that finds: its findings as text.
fn findings(mut process: impl FnMut(&[f32]) -> Vec<String> + 'static) -> Processor {
    Box::new(move |block| {
        let found = process(block).concat();
        found.bytes().map(u32::from).collect()
    })
}

/// Pieces of a block that end where packets end, each with the number of its packet.
fn by_packets(place: &mut usize, block: &[f32], mut each: impl FnMut(usize, &[f32])) {
    let mut rest = block;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(PACKET - *place % PACKET));
        each(*place / PACKET, now);
        *place += now.len();
        rest = later;
    }
}

fn digits(grade: DtmfGrade, loses: bool) -> Processor {
    let (mut detector, mut place) = (DtmfDetector::new(grade), 0);
    findings(move |block| {
        let mut found = Vec::new();
        by_packets(&mut place, block, |packet, piece| {
            detector.process(piece, loses && packet % 11 == 3);
            while let Some(event) = detector.poll() {
                found.push(format!("{event:?} "));
            }
        });
        found
    })
}

fn concealed() -> Processor {
    let (mut concealer, mut place) = (Concealer::new(), 0);
    Box::new(move |block| {
        let mut out = Vec::new();
        by_packets(&mut place, block, |packet, piece| {
            let mut piece: Vec<i16> = piece.iter().map(|s| to_i16(*s)).collect();
            if packet % 7 == 2 || packet % 19 == 4 || packet % 100 > 90 {
                concealer.conceal(&mut piece);
            } else {
                concealer.good(&mut piece);
            }
            out.extend(piece.iter().map(|s| *s as u32));
        });
        out
    })
}

/// A reading at the end of everything.
fn reading(mut process: impl FnMut(&[f32]) -> f32 + 'static) -> Processor {
    let mut place = 0;
    Box::new(move |block| {
        let value = process(block);
        place += block.len();
        if place < LENGTH {
            return Vec::new();
        }
        vec![value.to_bits()]
    })
}

/// Everything that takes blocks of any size.
fn processors() -> Vec<(String, Processor)> {
    let mut all: Vec<(String, Processor)> = Vec::new();
    for rate in [Rate::Hz8000, Rate::Hz16000] {
        let mut add = |name: &str, processor| all.push((format!("{name} at {rate:?}"), processor));
        let mut gain = Gain::at(rate, 0.0);
        gain.set_db(-12.0);
        add("gain", in_place(move |out| gain.process(out)));
        let mut ramp = Ramp::at(rate);
        ramp.set_open(false);
        add("ramp", in_place(move |out| ramp.process(out)));
        let mut limiter = Limiter::at(rate, 0.2, 50.0);
        add("limiter", in_place(move |out| limiter.process(out)));
        let mut meter = LevelMeter::at(rate, 125.0);
        let read = move |block: &[f32]| {
            meter.process(block);
            meter.dbm0()
        };
        add("meter", reading(read));
        let mut agc = Agc::at(rate, AgcConfig::default());
        let near = Talk {
            near: true,
            far: false,
        };
        add("agc", in_place(move |out| agc.process(out, near)));
        let mut switch = VoiceSwitch::at(rate);
        add(
            "voice switch to the line",
            in_place(move |out| switch.to_line(out)),
        );
        let mut suppressor = Suppressor::at(rate, SuppressorConfig::default());
        add("suppressor", in_place(move |out| suppressor.stream(out)));
    }
    let mut guard = HowlGuard::new();
    all.push(("howl guard".into(), in_place(move |out| guard.process(out))));
    let mut howl = HowlDetector::new();
    let mut newest = 0.0;
    let howls = move |block: &[f32]| {
        howl.process(block);
        newest = howl.take().map_or(newest, |found| found.hz);
        newest
    };
    all.push(("howl detector".into(), reading(howls)));
    for (from, to) in [
        (8000, 48_000),
        (48_000, 8000),
        (16_000, 8000),
        (11_025, 8000),
    ] {
        let mut resampler = Resampler::for_recording(from, to).unwrap();
        let process = move |block: &[f32]| {
            let mut out = vec![0.0; resampler.most_outputs(block.len())];
            let count = resampler.process(block, &mut out);
            bits(&out[..count])
        };
        all.push((format!("resampler {from} to {to} Hz"), Box::new(process)));
    }
    for grade in [DtmfGrade::Dialling, DtmfGrade::Door] {
        for loses in [false, true] {
            all.push((format!("digits {grade:?} {loses}"), digits(grade, loses)));
        }
    }
    let mut tones = ToneDetector::new(ToneSpec::single(425.0));
    let found = move |block: &[f32]| {
        tones.process(block);
        std::iter::from_fn(|| tones.poll())
            .map(|event| format!("{event:?} "))
            .collect()
    };
    all.push(("tone detector".into(), findings(found)));
    all.push(("concealment".into(), concealed()));
    let cadence = Cadence {
        on_ms: 123,
        off_ms: 77,
    };
    let mut tone = ToneGenerator::new([(425.0, -10.0), (350.0, -15.0)], cadence);
    all.push(("tones".into(), filled(move |out| tone.fill(out))));
    let mut keys = DtmfGenerator::new(83, 61, -10.0, -12.0);
    assert!("0123456789*#ABCD".chars().all(|key| keys.push(key)));
    all.push(("keys".into(), filled(move |out| keys.fill(out))));
    all
}

#[test]
fn random_blocks_give_the_bits_of_one_piece() {
    let sound = sound();
    let whole: Vec<(String, Vec<u32>)> = processors()
        .into_iter()
        .map(|(name, mut process)| (name, process(&sound)))
        .collect();
    for (name, out) in &whole {
        assert!(!out.is_empty(), "{name} finds nothing: a poor test");
    }
    for seed in 1..=12 {
        let blocks = Random(seed).blocks(LENGTH);
        for ((name, mut process), (_, whole)) in processors().into_iter().zip(&whole) {
            let (mut place, mut out) = (0, Vec::new());
            for length in &blocks {
                out.extend(process(&sound[place..place + length]));
                place += length;
            }
            assert!(out == *whole, "{name}, blocks of seed {seed}");
        }
    }
}

/// What the line plays and what the phone hears, in these blocks; `levels` are those of the two talkers.
fn call(config: ChainConfig, blocks: &[usize], levels: (f32, f32)) -> (Vec<f32>, Vec<f32>, f32) {
    let (far, near) = (babble(LENGTH, 1, levels.0), babble(LENGTH, 2, levels.1));
    let mut chain = Chain::new(config);
    let (mut played, mut heard, mut place) = (Vec::new(), Vec::new(), 0);
    for length in blocks {
        let range = place..place + length;
        let mut block = far[range.clone()].to_vec();
        chain.play(&mut block);
        played.extend(block);
        let mut block: Vec<f32> = range
            .map(|n| near[n] + n.checked_sub(45).map_or(0.0, |at| 0.3 * far[at]))
            .collect();
        chain.hear(&mut block);
        heard.extend(block);
        place += length;
    }
    (played, heard, chain.delay_ms())
}

#[test]
fn a_call_in_any_blocks_is_the_call_in_whole_ones_ten_milliseconds_later() {
    for rate in [Rate::Hz8000, Rate::Hz16000] {
        for echo in [EchoMode::Off, EchoMode::Linear, EchoMode::Full] {
            let config = ChainConfig {
                rate,
                echo,
                agc: Some(AgcConfig::default()),
                to_line_db: 9.0,
                to_phone_db: 9.0,
                ..ChainConfig::default()
            };
            // Loud enough for the limiters.
            let levels = (1.5, 0.8);
            let frame = rate.block();
            let (played, heard, delay) = call(config, &vec![frame; LENGTH / frame], levels);
            let wanted = if echo == EchoMode::Full { 7.75 } else { 0.75 };
            assert_eq!(delay, wanted);
            // Several frames at once cost nothing either.
            let several = call(config, &vec![5 * frame; LENGTH / frame / 5], levels);
            assert!((&played, &heard, delay) == (&several.0, &several.1, several.2));
            let any = ChainConfig {
                blocks: Blocks::Any,
                ..config
            };
            let mut cuts: Vec<Vec<usize>> = (20..26).map(|s| Random(s).blocks(LENGTH)).collect();
            cuts.extend([vec![1; LENGTH], vec![frame; LENGTH / frame]]);
            for (n, blocks) in cuts.iter().enumerate() {
                let cut = call(any, blocks, levels);
                assert_eq!(cut.2, wanted + 10.0);
                assert!(cut.0 == played, "to the line, {rate:?} {echo:?}, cut {n}");
                assert!(
                    cut.1[frame..] == heard[..LENGTH - frame],
                    "to the phone, {rate:?} {echo:?}, cut {n}"
                );
            }
        }
    }
}

#[test]
fn an_odd_block_to_a_chain_of_whole_ones_costs_its_delay_once() {
    let config = ChainConfig::default();
    let mut blocks = vec![80; 100];
    blocks.extend([77, 3]);
    blocks.extend(vec![80; LENGTH / 80 - 101]);
    let (played, heard, delay) = call(config, &blocks, (0.3, 0.1));
    let (reference, clear, _) = call(config, &vec![80; LENGTH / 80], (0.3, 0.1));
    assert_eq!(delay, 17.75);
    assert!(played == reference && heard[..8000] == clear[..8000]);
    assert!(heard[8000..8080].iter().all(|s| *s == 0.0));
    assert!(heard[8080..] == clear[8000..LENGTH - 80]);
}

/// Allocations while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn nothing_allocates_once_it_is_set_up() {
    let sound = sound();
    let blocks = Random(9).blocks(LENGTH);
    for rate in [Rate::Hz8000, Rate::Hz16000] {
        for kind in [Blocks::Whole, Blocks::Any] {
            let mut chain = Chain::new(ChainConfig {
                rate,
                blocks: kind,
                agc: Some(AgcConfig::default()),
                ..ChainConfig::default()
            });
            let mut far = sound.clone();
            // The echo moves, so that the filter is moved, given up and learned again.
            let mut mic: Vec<f32> = (0..LENGTH)
                .map(|n| {
                    let late = if n < LENGTH / 2 { 500 } else { 1500 };
                    n.checked_sub(late).map_or(0.0, |at| 0.3 * sound[at])
                })
                .collect();
            let whole = vec![rate.block(); LENGTH / rate.block()];
            let lengths = if kind == Blocks::Any { &blocks } else { &whole };
            let count = allocations(|| {
                let mut place = 0;
                for length in lengths {
                    chain.play(&mut far[place..place + length]);
                    chain.hear(&mut mic[place..place + length]);
                    chain.status();
                    place += length;
                }
            });
            assert_eq!(count, 0, "chain, {rate:?} {kind:?}");
        }
    }
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let mut resampler = Resampler::new(8000, 48_000).unwrap();
    let mut digits = DtmfDetector::new(DtmfGrade::Dialling);
    let mut tones = ToneDetector::new(ToneSpec::single(425.0));
    let mut howl = HowlGuard::new();
    let mut concealer = Concealer::new();
    let mut bridge = Bridge::new(40);
    let mut out = vec![0.0; 6 * 4000];
    let mut words = vec![0_i16; 4000];
    let count = allocations(|| {
        let (mut place, mut now) = (0, std::time::Duration::ZERO);
        for length in &blocks {
            let block = &sound[place..place + length];
            place += length;
            out[..*length].copy_from_slice(block);
            suppressor.stream(&mut out[..*length]);
            howl.process(&mut out[..*length]);
            resampler.process(block, &mut out);
            // Nobody asks for the findings: they may not pile up either.
            digits.process(block, length % 5 == 0);
            tones.process(block);
            if length % 3 == 0 {
                concealer.conceal(&mut words[..*length]);
            } else {
                concealer.good(&mut words[..*length]);
            }
            now += std::time::Duration::from_micros(*length as u64 * 125);
            bridge.push(now, block);
            bridge.pull(now, &mut out[..*length]);
        }
    });
    assert_eq!(count, 0, "something else than the chain");
    // The counter counts.
    assert!(allocations(|| drop(sound.clone())) > 0);
}
