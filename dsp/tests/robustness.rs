//! Nonsense and extremes through every public processor: no panic, nothing that is no number comes out, and a second later it
//! works as before. `tests/blocks.rs` has blocks of any size.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use dsp::agc::{Agc, AgcConfig};
use dsp::chain::{Blocks, Chain, ChainConfig, Duplex};
use dsp::concealment::Concealer;
use dsp::delay::DelayFinder;
use dsp::drift::Bridge;
use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGenerator, DtmfGrade, extent};
use dsp::duplex::VoiceSwitch;
use dsp::echo::{BLOCK, EchoCanceller};
use dsp::howl::{HowlDetector, HowlGuard};
use dsp::level::{Gain, LevelMeter, Limiter, Ramp};
use dsp::resample::{RECORDING_RATES_HZ, Resampler};
use dsp::sample::to_i16;
use dsp::suppressor::{Suppressor, SuppressorConfig};
use dsp::talk::{Talk, TalkMeter};
use dsp::time_scale::shorten;
use dsp::tone::{Cadence, GoertzelBank, ToneDetector, ToneGenerator, ToneSpec};

const SECOND: usize = 8000;

/// Every kind of bad sound, 100 ms of each.
fn abuse() -> Vec<f32> {
    let mut out = Vec::new();
    for bad in [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-42,
        -0.0,
        1.0,
        -1.0,
        1e20,
    ] {
        out.extend([bad; 800]);
    }
    // Full-scale square waves and clicks.
    for half in [1, 4, 40] {
        out.extend((0..800).map(|n| if n / half % 2 == 0 { 1.0 } else { -1.0 }));
    }
    out.extend((0..800).map(|n| if n % 97 == 0 { f32::NAN } else { 0.3 }));
    out
}

/// Something like speech: noise in syllables.
fn babble(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut low = 0.0;
    (0..count)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low += 0.3 * ((state >> 8) as f32 / 8_388_608.0 - 1.0 - low);
            0.3 * low * (1.0 + (n as f32 / 1200.0).sin())
        })
        .collect()
}

fn tone(hz: f32, count: usize) -> Vec<f32> {
    let mut out = vec![0.0; count];
    ToneGenerator::sine(hz, -10.0).fill(&mut out);
    out
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
}

fn blocks(samples: &[f32]) -> impl Iterator<Item = [f32; BLOCK]> {
    samples.chunks_exact(BLOCK).map(|c| c.try_into().unwrap())
}

type Processor = Box<dyn FnMut(&[f32]) -> Vec<f32>>;

/// Everything that turns samples into samples in blocks of any size.
fn processors() -> Vec<(String, Processor)> {
    fn in_place(mut process: impl FnMut(&mut [f32]) + 'static) -> Processor {
        Box::new(move |input| {
            let mut out = input.to_vec();
            process(&mut out);
            out
        })
    }
    let (mut gain, mut limiter) = (Gain::new(60.0), Limiter::new(0.9, 50.0));
    let (mut guard, mut ramp) = (HowlGuard::new(), Ramp::new());
    let mut suppressor = Suppressor::new(SuppressorConfig {
        noise_db: 0.0,
        ..SuppressorConfig::default()
    });
    let mut all = vec![
        ("ramp".to_owned(), in_place(move |out| ramp.process(out))),
        (
            "suppressor".to_owned(),
            in_place(move |out| suppressor.stream(out)),
        ),
        ("gain".to_owned(), in_place(move |out| gain.process(out))),
        (
            "limiter".to_owned(),
            in_place(move |out| limiter.process(out)),
        ),
        (
            "howl guard".to_owned(),
            in_place(move |out| guard.process(out)),
        ),
    ];
    for rate in RECORDING_RATES_HZ {
        let mut resampler = Resampler::for_recording(rate, 8000).unwrap();
        let process: Processor = Box::new(move |input| {
            let mut out = vec![0.0; resampler.most_outputs(input.len())];
            let count = resampler.process(input, &mut out);
            out.truncate(count);
            out
        });
        all.push((format!("resampler from {rate} Hz"), process));
    }
    all
}

#[test]
fn processors_survive_everything_and_recover_within_a_second() {
    for size in [1, 7, 80, 4000] {
        let fresh = processors();
        for ((name, mut abused), (_, mut fresh)) in processors().into_iter().zip(fresh) {
            for chunk in abuse().chunks(size) {
                let out = abused(chunk);
                assert!(out.iter().all(|s| s.is_finite()), "{name} by {size}");
            }
            assert!(abused(&[]).is_empty(), "{name}");
            // A second to recover at the fastest rate, then both must do the same.
            let sound = tone(700.0, 2 * 48_000);
            let (after, reference) = (abused(&sound), fresh(&sound));
            let tail = |out: &[f32]| rms(&out[out.len() / 2..]);
            let ratio = tail(&after) / tail(&reference);
            assert!((0.9..1.1).contains(&ratio), "{name} by {size}: {ratio}");
        }
    }
}

/// Canceller and suppressor together, as on a call.
fn echo_chain(far: &[f32], mic: &[f32]) -> Vec<f32> {
    let mut canceller = EchoCanceller::new(64);
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let mut out = Vec::new();
    for (far, mut mic) in blocks(far).zip(blocks(mic)) {
        let report = canceller.process(&far, &mut mic);
        assert!(report.erle_db.is_finite());
        suppressor.process(&mut mic, Some(report));
        out.extend(mic);
    }
    out
}

#[test]
fn the_echo_chain_survives_everything_and_cancels_again() {
    let far = babble(6 * SECOND, 1);
    let echo: Vec<f32> = (0..far.len())
        .map(|n| 0.4 * n.checked_sub(30).map_or(0.0, |at| far[at]))
        .collect();
    let bad = abuse();
    let silence = vec![0.0; bad.len()];
    for (bad_far, bad_mic) in [(&bad, &bad), (&bad, &silence), (&silence, &bad)] {
        let far_all = [&bad_far[..], &far[..]].concat();
        let mic_all = [&bad_mic[..], &echo[..]].concat();
        let out = echo_chain(&far_all, &mic_all);
        assert!(out.iter().all(|s| s.is_finite()));
        let at = bad.len() + SECOND;
        let erle = 20.0 * (rms(&mic_all[at..at + SECOND]) / rms(&out[at..at + SECOND])).log10();
        assert!(erle > 10.0, "{erle} dB a second after");
        let bits = |out: &[f32]| out.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert!(bits(&out) == bits(&echo_chain(&far_all, &mic_all)));
    }
}

#[test]
fn the_echo_chain_survives_a_stall_of_half_a_second() {
    let far = babble(8 * SECOND, 2);
    let mut mic: Vec<f32> = far.iter().map(|s| 0.4 * s).collect();
    // The microphone stands still while the far end goes on.
    mic[4 * SECOND..4 * SECOND + SECOND / 2].fill(0.0);
    let out = echo_chain(&far, &mic);
    let at = 5 * SECOND + SECOND / 2;
    let erle = 20.0 * (rms(&mic[at..at + SECOND]) / rms(&out[at..at + SECOND])).log10();
    assert!(erle > 20.0, "{erle} dB");
}

fn key() -> Vec<f32> {
    let mut generator = DtmfGenerator::new(100, 100, -12.0, -10.0);
    generator.push('5');
    let mut out = vec![0.0; 1600];
    generator.fill(&mut out);
    out
}

#[test]
fn detectors_survive_everything_and_find_what_comes_a_second_later() {
    for size in [1, 7, 80, 4000] {
        for grade in [DtmfGrade::Dialling, DtmfGrade::Door] {
            for erased in [false, true] {
                let mut detector = DtmfDetector::new(grade);
                for chunk in abuse().chunks(size) {
                    detector.process(chunk, erased);
                }
                detector.process(&[0.0; SECOND], false);
                while detector.poll().is_some() {}
                key().chunks(size).for_each(|c| detector.process(c, false));
                let found = detector.poll();
                assert!(
                    matches!(found, Some(DtmfEvent::Pressed { digit: '5', .. })),
                    "{grade:?} by {size}: {found:?}"
                );
            }
        }
        let mut detector = ToneDetector::new(ToneSpec::single(425.0));
        abuse().chunks(size).for_each(|c| detector.process(c));
        detector.process(&[0.0; SECOND]);
        while detector.poll().is_some() {}
        assert!(!detector.is_sounding());
        tone(425.0, 4000)
            .chunks(size)
            .for_each(|c| detector.process(c));
        assert!(detector.is_sounding(), "by {size}");
        let mut howl = HowlDetector::new();
        abuse().chunks(size).for_each(|c| howl.process(c));
        while let Some(found) = howl.take() {
            assert!(found.hz.is_finite());
        }
        let mut meter = LevelMeter::new(125.0);
        abuse().chunks(size).for_each(|c| meter.process(c));
        meter.process(&tone(1000.0, 2 * SECOND));
        assert!((meter.dbm0() - -10.0).abs() < 0.2, "{}", meter.dbm0());
    }
}

#[test]
fn measurements_of_nonsense_are_numbers() {
    let mut bank = GoertzelBank::new([100.0; 8]);
    let mut finder = DelayFinder::new(100);
    for bad in abuse().chunks_exact(BLOCK) {
        bank.push(bad);
        let block = bad.try_into().unwrap();
        finder.process(&block, &block);
        if let Some(found) = finder.find() {
            assert!(found.confidence.is_finite());
        }
    }
    bank.finish();
    let all = abuse();
    for at in (0..all.len() + 500).step_by(333) {
        if let Some(range) = extent(&all, '5', at) {
            assert!(range.end <= all.len(), "{range:?}");
        }
    }
}

#[test]
fn the_16_bit_parts_survive_full_scale_and_one_sample_blocks() {
    let bad: Vec<i16> = abuse().into_iter().map(to_i16).collect();
    for size in [1, 3, 80, 4000] {
        let mut concealer = Concealer::new();
        for (n, chunk) in bad.chunks(size).enumerate() {
            let mut block = chunk.to_vec();
            if n % 3 == 1 {
                concealer.conceal(&mut block);
            } else {
                concealer.good(&mut block);
            }
        }
        // A quarter of a period after the gap it is the input again.
        let mut steady = vec![1000_i16; SECOND];
        concealer.good(&mut steady);
        assert!(steady[200..].iter().all(|s| *s == 1000));
        for chunk in bad.chunks(size + 130) {
            let mut out = vec![0; size];
            if let Some(cut) = shorten(chunk, &mut out, usize::MAX) {
                assert!(cut + size <= chunk.len());
            }
        }
    }
}

#[test]
fn generators_take_any_setting() {
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -5.0, 0.0, 1e30] {
        let cadence = Cadence {
            on_ms: 0,
            off_ms: u32::MAX,
        };
        for cadence in [cadence, Cadence::CONTINUOUS] {
            let mut out = vec![0.0; 1000];
            ToneGenerator::new([(odd, odd), (odd, -10.0)], cadence).fill(&mut out);
            assert!(out.iter().all(|s| s.is_finite()), "{odd}");
        }
        let mut keys = DtmfGenerator::new(50, 50, odd, odd);
        keys.push('1');
        let mut out = vec![0.0; 1000];
        keys.fill(&mut out);
        assert!(out.iter().all(|s| s.is_finite()), "{odd}");
        let mut block = [0.5; BLOCK];
        Gain::new(odd).process(&mut block);
        Limiter::new(odd, odd).process(&mut block);
        assert!(block.iter().all(|s| s.is_finite()), "{odd}");
        LevelMeter::new(odd).process(&block);
        let config = SuppressorConfig {
            noise_db: odd,
            echo_db: odd,
            comfort_noise: true,
        };
        let mut suppressor = Suppressor::new(config);
        for _ in 0..20 {
            let mut block = [0.5; BLOCK];
            suppressor.process(&mut block, None);
            assert!(block.iter().all(|s| s.is_finite()), "{odd}");
        }
    }
    for ms in [0, u32::MAX] {
        let mut keys = DtmfGenerator::new(ms, ms, -10.0, -10.0);
        keys.push('1');
        keys.fill(&mut [0.0; 100]);
    }
}

#[test]
fn the_chain_of_a_call_survives_everything_and_recovers_within_a_second() {
    for rate in [dsp::Rate::Hz8000, dsp::Rate::Hz16000] {
        let config = ChainConfig {
            rate,
            agc: Some(AgcConfig::default()),
            ..ChainConfig::default()
        };
        let run = |bad_far: &[f32], bad_mic: &[f32]| {
            let mut chain = Chain::new(config);
            let mut out = Vec::new();
            let blocks = bad_far
                .chunks(rate.block())
                .zip(bad_mic.chunks(rate.block()));
            for (far, mic) in blocks {
                let (mut far, mut mic) = (far.to_vec(), mic.to_vec());
                chain.play(&mut far);
                chain.hear(&mut mic);
                assert!(
                    far.iter()
                        .chain(&mic)
                        .all(|s| s.is_finite() && s.abs() <= 1.0)
                );
                let status = chain.status();
                assert!(status.erle_db.is_finite() && status.agc_db.is_finite());
                out.extend(mic);
            }
            // A second to recover, then a voice from the line must come through.
            let voice = babble(3 * rate.hz() as usize, 5);
            let mut heard = Vec::new();
            for mic in voice.chunks(rate.block()) {
                let mut mic = mic.to_vec();
                chain.play(&mut vec![0.0; rate.block()]);
                chain.hear(&mut mic);
                heard.extend(mic);
            }
            let from = rate.hz() as usize;
            let kept = rms(&heard[from..]) / rms(&voice[from..]);
            assert!((0.3..4.0).contains(&kept), "{rate:?}: {kept}");
            out.extend(heard);
            out.iter().map(|s| s.to_bits()).collect::<Vec<_>>()
        };
        let bad = abuse();
        let silence = vec![0.0; bad.len()];
        for (far, mic) in [(&bad, &bad), (&bad, &silence), (&silence, &bad)] {
            assert!(run(far, mic) == run(far, mic), "the same bits each time");
        }
    }
}

#[test]
fn a_path_of_nonsense_is_given_up() {
    let far = babble(6 * SECOND, 8);
    let mut canceller = EchoCanceller::with(dsp::echo::EchoSettings::default());
    let taps = (0..9000)
        .map(|n| if n % 3 == 0 { f32::NAN } else { 1e30 })
        .collect();
    canceller.start_from(&dsp::echo::EchoPath::new(
        dsp::Rate::Hz8000,
        usize::MAX,
        taps,
    ));
    let taps = vec![f32::INFINITY; 100];
    canceller.start_from(&dsp::echo::EchoPath::new(dsp::Rate::Hz8000, 0, taps));
    let mut out = Vec::new();
    for far in blocks(&far) {
        let mut mic = far.map(|s| 0.4 * s);
        canceller.process(&far, &mut mic);
        out.extend(mic);
    }
    assert!(out.iter().all(|s| s.is_finite()));
    let left = rms(&out[4 * SECOND..]) / rms(&far[4 * SECOND..]) / 0.4;
    assert!(left < 0.3, "{left}");
}

/// Sound of the headset and of a sound card goes over the bridge, whatever is in it and whenever a side calls.
#[test]
fn the_bridge_between_two_clocks_survives_everything_and_is_back_within_a_second() {
    for size in [1, 7, 80] {
        let mut bridge = Bridge::new(60);
        let mut now = Duration::from_millis(1);
        let mut carry = |bridge: &mut Bridge, chunk: &[f32], stall_ms: u64| {
            now +=
                Duration::from_micros(125 * chunk.len() as u64) + Duration::from_millis(stall_ms);
            bridge.push(now, chunk);
            let mut out = vec![0.0; chunk.len()];
            bridge.pull(now, &mut out);
            assert!(out.iter().all(|s| s.is_finite()), "by {size}");
            let report = bridge.report();
            assert!(report.delay_ms.is_finite() && report.drift_ppm.is_finite());
            out
        };
        for (n, chunk) in abuse().chunks(size).enumerate() {
            // It stands still for half a second now and then.
            carry(&mut bridge, chunk, if n % 200 == 100 { 500 } else { 0 });
        }
        let sound = tone(700.0, 3 * SECOND);
        let heard: Vec<f32> = sound
            .chunks(size)
            .flat_map(|chunk| carry(&mut bridge, chunk, 0))
            .collect();
        let ratio = rms(&heard[SECOND..]) / rms(&sound);
        assert!((0.95..1.05).contains(&ratio), "by {size}: {ratio}");
    }
}

#[test]
fn the_automatic_gain_survives_everything_and_finds_its_level_again() {
    let near = Talk {
        near: true,
        far: false,
    };
    for size in [1, 7, 80, 4000] {
        let mut agc = Agc::new(AgcConfig {
            up_db_per_s: 40.0,
            ..AgcConfig::default()
        });
        for chunk in abuse().chunks(size) {
            let mut chunk = chunk.to_vec();
            agc.process(&mut chunk, near);
            assert!(chunk.iter().all(|s| s.is_finite()) && agc.gain_db().is_finite());
        }
        let mut heard = tone(700.0, 3 * SECOND);
        heard
            .chunks_mut(size)
            .for_each(|chunk| agc.process(chunk, near));
        let dbm0 = 20.0 * (rms(&heard[2 * SECOND..]) / dsp::sample::RMS_0_DBM0).log10();
        assert!((dbm0 - -14.0).abs() < 1.5, "by {size}: {dbm0} dBm0");
    }
}

#[test]
fn the_voice_switch_survives_everything_and_opens_again() {
    let mut switch = VoiceSwitch::new();
    let mut talk = TalkMeter::new();
    let (bad, silence) = (abuse(), vec![0.0; BLOCK]);
    for _ in 0..10 {
        for chunk in blocks(&bad) {
            for (played, heard) in [
                (&chunk[..], &chunk[..]),
                (&chunk, &silence),
                (&silence, &chunk),
            ] {
                let (mut to_line, mut to_phone) = (played.to_vec(), heard.to_vec());
                switch.to_line(&mut to_line);
                talk.judge(&to_line, heard, f32::NAN);
                switch.judge(&to_line, heard);
                switch.to_phone(&mut to_phone);
                assert!(to_line.iter().chain(&to_phone).all(|s| s.is_finite()));
                assert!(switch.loss_db().is_none_or(f32::is_finite));
            }
        }
    }
    // Whatever it took for a loss, both are heard a second later when only one of them speaks.
    let voice = babble(2 * SECOND, 6);
    for line_speaks in [false, true] {
        let (mut said, mut passed) = (Vec::new(), Vec::new());
        for block in blocks(&voice) {
            let silence = [0.0; BLOCK];
            let (mut to_line, mut to_phone) = if line_speaks {
                (silence, block)
            } else {
                (block, silence)
            };
            switch.to_line(&mut to_line);
            switch.judge(&to_line, &to_phone);
            switch.to_phone(&mut to_phone);
            said.extend(block);
            passed.extend(if line_speaks { to_phone } else { to_line });
        }
        let kept = rms(&passed[SECOND..]) / rms(&said[SECOND..]);
        assert!(
            (0.9..1.1).contains(&kept),
            "{kept}, the line: {line_speaks}"
        );
    }
}

/// The far end missing for a while, a stall of both directions, odd blocks: the echo is gone again within a second.
#[test]
fn the_chain_gets_over_stalls_and_a_missing_far_end() {
    for rate in [dsp::Rate::Hz8000, dsp::Rate::Hz16000] {
        for kind in [Blocks::Whole, Blocks::Any] {
            for trouble in [
                "nothing played",
                "nothing heard",
                "both stand still",
                "heard twice",
            ] {
                let erle = after_trouble(rate, kind, trouble);
                assert!(erle > 20.0, "{rate:?} {kind:?}, {trouble}: {erle} dB");
            }
        }
    }
}

/// How much of the echo is taken away from a second after half a second of trouble on, dB.
fn after_trouble(rate: dsp::Rate, kind: Blocks, trouble: &str) -> f32 {
    let size = if kind == Blocks::Any {
        37
    } else {
        rate.block()
    };
    let mut chain = Chain::new(ChainConfig {
        rate,
        blocks: kind,
        ..ChainConfig::default()
    });
    let second = rate.hz() as usize;
    let far = babble(8 * second, 12);
    let mut played = vec![0.0; 60];
    let (mut echo, mut left) = (0.0, 0.0);
    for (n, block) in far.chunks_exact(size).enumerate() {
        let at = n * size;
        let troubled = (4 * second..9 * second / 2).contains(&at);
        let is = |what: &str| troubled && trouble == what;
        if is("both stand still") {
            continue;
        }
        let mut block = block.to_vec();
        if is("nothing played") {
            block.fill(0.0);
        } else {
            chain.play(&mut block);
        }
        played.extend(&block);
        if is("nothing heard") {
            continue;
        }
        let from = played.len() - size - 60;
        let mut mic: Vec<f32> = played[from..from + size].iter().map(|s| 0.4 * s).collect();
        if is("heard twice") {
            chain.hear(&mut mic.clone());
        }
        let energy = |block: &[f32]| block.iter().map(|s| s * s).sum::<f32>();
        let before = energy(&mic);
        chain.hear(&mut mic);
        assert!(mic.iter().all(|s| s.is_finite()));
        if at > 11 * second / 2 {
            echo += before;
            left += energy(&mic);
        }
    }
    assert_eq!(chain.status().duplex, Duplex::Full);
    10.0 * (echo / left).log10()
}

/// Another rate is another chain; what was learned at the old one is left alone.
#[test]
fn a_path_of_another_rate_is_left_alone() {
    let far = babble(6 * SECOND, 9);
    let mut chain = Chain::new(ChainConfig::default());
    for block in blocks(&far) {
        let mut played = block;
        chain.play(&mut played);
        chain.hear(&mut played.map(|s| 0.4 * s));
    }
    let path = chain.path().unwrap();
    let mut wide = Chain::new(ChainConfig {
        rate: dsp::Rate::Hz16000,
        ..ChainConfig::default()
    });
    wide.start_from(&path);
    assert!(wide.path().is_none());
    let mut out = Vec::new();
    for block in far.chunks_exact(160) {
        let mut played = block.to_vec();
        wide.play(&mut played);
        let mut mic: Vec<f32> = played.iter().map(|s| 0.4 * s).collect();
        wide.hear(&mut mic);
        out.extend(mic);
    }
    assert!(rms(&out[2 * SECOND..]) < 0.05 * rms(&far[2 * SECOND..]));
}
