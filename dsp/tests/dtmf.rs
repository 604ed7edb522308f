//! The marks the DTMF detector must reach (ITU-T Q.24, ETSI ES 201 235-3), on the battery the bench prints in full.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../benches/figures/battery.rs"]
mod battery;

use battery::*;
use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGenerator, DtmfGrade};

const TRIALS: u64 = 24;
const GRADES: [DtmfGrade; 2] = [DtmfGrade::Dialling, DtmfGrade::Door];

#[track_caller]
fn always(grade: DtmfGrade, burst: Burst, condition: Condition) {
    assert_eq!(score(grade, burst, condition, TRIALS).0, 100.0, "{grade:?}");
}

#[track_caller]
fn never(grade: DtmfGrade, burst: Burst, condition: Condition) {
    for trial in 0..TRIALS {
        assert!(
            presses(grade, burst, condition, trial).is_empty(),
            "{grade:?}, trial {trial}"
        );
    }
}

#[test]
fn what_the_generator_sends_is_what_is_found_in_blocks_of_any_size() {
    for (grade, on_ms) in [(DtmfGrade::Dialling, 45), (DtmfGrade::Door, 65)] {
        for size in [1, 7, 80, 160, 1000] {
            let mut generator = DtmfGenerator::new(on_ms, 45, -10.0, -8.0);
            for digit in "0123456789*#ABCD".chars() {
                assert!(generator.push(digit));
            }
            let mut detector = DtmfDetector::new(grade);
            let mut found = String::new();
            let mut block = vec![0.0; size];
            for _ in 0..16_000 / size {
                generator.fill(&mut block);
                detector.process(&block, false);
                while let Some(event) = detector.poll() {
                    if let DtmfEvent::Pressed {
                        digit,
                        twist_db,
                        level_dbm0,
                        ..
                    } = event
                    {
                        found.push(digit);
                        assert!((twist_db - 2.0).abs() < 0.3, "{twist_db}");
                        // -10 and -8 dBm0 together.
                        assert!((level_dbm0 + 5.9).abs() < 0.5, "{level_dbm0}");
                    }
                }
            }
            assert_eq!(found, "0123456789*#ABCD", "{grade:?}, blocks of {size}");
            assert!(!generator.is_playing());
        }
    }
}

#[test]
fn frequencies_within_1_8_percent_are_taken_and_beyond_3_refused() {
    for grade in GRADES {
        for sign in [-1.0, 1.0] {
            let plain = Burst::new('5', 80.0, -10.0);
            for error in [0.015, 0.018] {
                always(
                    grade,
                    Burst {
                        low_error: sign * error,
                        ..plain
                    },
                    Condition::Clean,
                );
                always(
                    grade,
                    Burst {
                        high_error: sign * error,
                        ..plain
                    },
                    Condition::Clean,
                );
            }
            for error in [0.03, 0.035, 0.045] {
                never(
                    grade,
                    Burst {
                        low_error: sign * error,
                        ..plain
                    },
                    Condition::Clean,
                );
                never(
                    grade,
                    Burst {
                        high_error: sign * error,
                        ..plain
                    },
                    Condition::Clean,
                );
            }
        }
    }
}

#[test]
fn twist_of_8_and_minus_4_db_is_taken_and_12_and_minus_8_refused() {
    for grade in GRADES {
        let at = |low_dbm0, high_dbm0| Burst {
            low_dbm0,
            high_dbm0,
            ..Burst::new('5', 80.0, 0.0)
        };
        always(grade, at(-20.0, -12.0), Condition::Clean);
        always(grade, at(-12.0, -16.0), Condition::Clean);
        never(grade, at(-24.0, -12.0), Condition::Clean);
        never(grade, at(-12.0, -20.0), Condition::Clean);
    }
}

#[test]
fn levels_from_0_to_minus_25_are_taken_and_minus_55_refused() {
    for grade in GRADES {
        for dbm0 in [-4.0, -10.0, -20.0, -25.0] {
            always(grade, Burst::new('5', 80.0, dbm0), Condition::Clean);
        }
        never(grade, Burst::new('5', 80.0, -55.0), Condition::Clean);
    }
}

#[test]
fn tones_of_40_ms_are_taken_and_of_23_ms_refused() {
    for dbm0 in [-7.0, -20.0] {
        always(
            DtmfGrade::Dialling,
            Burst::new('5', 40.0, dbm0),
            Condition::Clean,
        );
        never(
            DtmfGrade::Dialling,
            Burst::new('5', 23.0, dbm0),
            Condition::Clean,
        );
        never(
            DtmfGrade::Dialling,
            Burst::new('5', 30.0, dbm0),
            Condition::Clean,
        );
        always(
            DtmfGrade::Door,
            Burst::new('5', 60.0, dbm0),
            Condition::Clean,
        );
        never(
            DtmfGrade::Door,
            Burst::new('5', 45.0, dbm0),
            Condition::Clean,
        );
    }
}

#[test]
fn the_door_grade_takes_keys_of_50_ms_wherever_they_begin() {
    for dbm0 in [0.0, -13.0, -25.0] {
        let key = Burst::new('5', 50.0, dbm0);
        // Ten of each key, each beginning elsewhere.
        let found = score(DtmfGrade::Door, key, Condition::Clean, 160);
        assert_eq!(found, (100.0, 0.0), "{dbm0} dBm0");
    }
    let (once, more) = score(
        DtmfGrade::Door,
        Burst::new('5', 50.0, -10.0),
        Condition::Noise(15.0),
        160,
    );
    assert!(once >= 97.0 && more == 0.0, "{once} %, {more} % twice");
}

#[test]
fn pauses_split_from_30_ms_on_and_bridge_up_to_15() {
    for grade in GRADES {
        for gap_ms in [1.0, 5.0, 10.0, 15.0] {
            assert_eq!(splits(grade, gap_ms, TRIALS), 0.0, "{gap_ms} ms");
        }
        for gap_ms in [30.0, 40.0, 60.0] {
            assert_eq!(splits(grade, gap_ms, TRIALS), 100.0, "{gap_ms} ms");
        }
    }
}

#[test]
fn digits_are_found_in_noise_hum_offset_and_clipping() {
    for grade in GRADES {
        always(grade, Burst::new('5', 80.0, -10.0), Condition::Noise(15.0));
        let digit = Burst::new('5', 80.0, -13.0);
        for condition in [
            Condition::Hum(-20.0),
            Condition::Hum(-13.0),
            Condition::Offset,
            Condition::Clipped(3.0),
            Condition::Clipped(6.0),
        ] {
            always(grade, digit, condition);
        }
    }
}

#[test]
fn every_key_is_found_clipped_by_6_db_and_over_hum_that_is_half_a_hertz_off() {
    for grade in GRADES {
        for condition in [
            Condition::Clipped(6.0),
            Condition::Tones(49.5, 0.0, -13.0),
            Condition::Tones(50.5, 0.0, -13.0),
        ] {
            // Four of each key.
            let found = score(grade, Burst::new('5', 80.0, -13.0), condition, 64).0;
            assert!(found >= 98.0, "{grade:?}: {found} %");
        }
    }
}

#[test]
fn a_dial_tone_hides_digits_from_the_door_grade_only() {
    let digit = Burst::new('5', 80.0, -13.0);
    for condition in [
        Condition::Tones(425.0, 0.0, -20.0),
        Condition::Tones(350.0, 440.0, -25.0),
    ] {
        always(DtmfGrade::Dialling, digit, condition);
        never(DtmfGrade::Door, digit, condition);
    }
}

#[test]
fn a_dial_tone_too_faint_to_matter_hides_no_key_from_the_dialling_grade() {
    // 440 Hz is a harmonic of a pitch that 770 and 1209 Hz have in common.
    let key = Burst {
        low_dbm0: -12.0,
        ..Burst::new('4', 70.0, -10.0)
    };
    for trial in 0..TRIALS {
        let condition = Condition::Tones(350.0, 440.0, -25.0);
        let found = presses(DtmfGrade::Dialling, key, condition, trial);
        assert_eq!(found, ['4'], "trial {trial}");
    }
}

#[test]
fn a_lost_packet_splits_no_digit_when_the_detector_is_told() {
    let long = Burst::new('5', 160.0, -13.0);
    for from in [60.0, 70.0, 80.0] {
        for length in [10.0, 20.0, 40.0] {
            always(
                DtmfGrade::Dialling,
                long,
                Condition::Dropout(from, from + length, true),
            );
        }
    }
    always(
        DtmfGrade::Dialling,
        Burst::new('5', 100.0, -13.0),
        Condition::Dropout(40.0, 60.0, true),
    );
    always(DtmfGrade::Door, long, Condition::Dropout(70.0, 90.0, true));
    // A dropout nobody reports is bridged up to 6 ms.
    always(
        DtmfGrade::Dialling,
        long,
        Condition::Dropout(70.0, 76.0, false),
    );
}

#[test]
fn a_packet_lost_anywhere_in_100_ms_neither_hides_nor_doubles_a_digit() {
    let digit = Burst::new('5', 100.0, -13.0);
    for grade in GRADES {
        for from in [0.0, 5.0, 20.0, 30.0, 35.0, 40.0, 50.0, 60.0, 80.0] {
            always(grade, digit, Condition::Dropout(from, from + 20.0, true));
        }
    }
    // Noise and a weak digit beside it.
    let weak = Burst::new('5', 100.0, -25.0);
    always(DtmfGrade::Door, weak, Condition::Dropout(40.0, 60.0, true));
}

#[test]
fn a_lost_packet_makes_no_digit_of_what_is_too_short_or_does_not_belong_together() {
    // 25 + 20 ms around the loss are less than the 51 ms that the door asks for in one piece.
    let short = Burst::new('5', 65.0, -13.0);
    never(DtmfGrade::Door, short, Condition::Dropout(25.0, 45.0, true));
    let mut found = 0;
    for trial in 0..200 {
        let mut noise = Noise(trial * 77 + 3);
        noise.unit();
        let mut line = vec![0.0_f32; 4000];
        // Two bursts of the same digit, 33 ms each, of independent phases, with the loss between them.
        let burst = Burst::new(['1', '5', '9', 'D'][trial as usize % 4], 33.0, -13.0);
        burst.add(&mut line, 1000, &mut noise);
        burst.add(&mut line, 1000 + 264 + 160, &mut noise);
        code(&mut line);
        let mut detector = DtmfDetector::new(DtmfGrade::Door);
        detector.process(&line[..1264], false);
        detector.process(&line[1264..1424], true);
        detector.process(&line[1424..], false);
        found += u32::from(detector.poll().is_some());
    }
    assert!(found <= 6, "{found} of 200");
}

#[test]
fn single_tones_noise_and_silence_are_no_digits() {
    let mut noise = Noise(1);
    let mut line: Vec<f32> = (0..80_000).map(|_| 0.1 * noise.normal()).collect();
    for hz in [697.0, 1209.0, 425.0, 1000.0, 1633.0] {
        let mut tone = vec![0.0; 4000];
        dsp::tone::ToneGenerator::sine(hz, -10.0).fill(&mut tone);
        line.extend(tone);
    }
    line.extend([0.0; 4000]);
    for grade in GRADES {
        assert_eq!(hits(grade, &line), 0);
    }
}

#[test]
fn a_voice_that_imitates_digits_seldom_succeeds() {
    // Six minutes; the detectors of PBXs fire 41 times an hour on such a voice (signal-processing facts 1.3).
    let voice = imitating_voice(360, 77);
    let dialling = hits(DtmfGrade::Dialling, &voice);
    let door = hits(DtmfGrade::Door, &voice);
    assert!(dialling <= 1, "{dialling}");
    assert_eq!(door, 0);
    // The battery does press: the voice is no silence.
    assert!(voice.iter().any(|s| s.abs() > 0.1));
}

#[test]
fn two_harmonics_of_a_held_voice_are_no_digit() {
    // Without the test for other harmonics the door grade takes 4 to 9 digits from each of these, of eight pitches.
    let mut dialling = 0;
    for seed in 1..=8 {
        let voice = held_voice(seed);
        dialling += hits(DtmfGrade::Dialling, &voice);
        assert_eq!(hits(DtmfGrade::Door, &voice), 0, "seed {seed}");
    }
    assert!(dialling <= 1, "{dialling}");
}

#[test]
fn digits_off_by_1_8_percent_to_either_side_are_taken() {
    for grade in GRADES {
        for (low_error, high_error) in [(-0.018, 0.018), (0.018, -0.018), (0.018, 0.018)] {
            let burst = Burst {
                low_error,
                high_error,
                ..Burst::new('5', 80.0, -10.0)
            };
            always(grade, burst, Condition::Clean);
            always(grade, burst, Condition::Noise(15.0));
        }
    }
}

#[test]
fn digits_are_found_behind_either_law_and_wide_band_sound() {
    for grade in GRADES {
        for way in [Way::ALaw, Way::MuLaw, Way::WideBand] {
            for trial in 0..TRIALS {
                let mut noise = Noise(trial * 91 + 7);
                noise.unit();
                let digit = "0123456789*#ABCD".as_bytes()[trial as usize % 16] as char;
                let burst = Burst {
                    low_dbm0: -25.0,
                    high_dbm0: -20.0,
                    low_error: 0.015,
                    high_error: -0.015,
                    ..Burst::new(digit, 70.0, 0.0)
                };
                let mut line = vec![0.0_f32; 4000];
                burst.add(&mut line, 1500 + trial as usize * 5, &mut noise);
                let line = through(way, line);
                assert_eq!(hits(grade, &line), 1, "{grade:?}, {way:?}, {digit}");
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    ALaw,
    MuLaw,
    WideBand,
}

fn through(way: Way, mut line: Vec<f32>) -> Vec<f32> {
    match way {
        Way::ALaw => code(&mut line),
        Way::MuLaw => {
            use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
            for sample in &mut line {
                let coded = encode_ulaw(dsp::sample::to_i16(*sample));
                *sample = dsp::sample::to_f32(decode_ulaw(coded));
            }
        }
        Way::WideBand => {
            // To 16 kHz, 16 bits, and back to what the detector takes.
            for (from, to) in [(8000, 16_000), (16_000, 8000)] {
                let mut resampler = dsp::resample::Resampler::new(from, to).unwrap();
                let mut out = vec![0.0; resampler.most_outputs(line.len())];
                let count = resampler.process(&line, &mut out);
                out.truncate(count);
                out.iter_mut()
                    .for_each(|x| *x = dsp::sample::to_f32(dsp::sample::to_i16(*x)));
                line = out;
            }
        }
    }
    line
}

#[test]
fn nonsense_samples_break_nothing() {
    let mut detector = DtmfDetector::new(DtmfGrade::Dialling);
    let nonsense = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN_POSITIVE / 4.0,
    ];
    for _ in 0..2000 {
        detector.process(&nonsense, false);
    }
    assert!(detector.poll().is_none());
    let mut line = vec![0.0; 4000];
    Burst::new('7', 100.0, -10.0).add(&mut line, 2000, &mut Noise(3));
    detector.process(&line, false);
    assert!(matches!(
        detector.poll(),
        Some(DtmfEvent::Pressed { digit: '7', .. })
    ));
}

#[test]
fn press_and_release_come_in_pairs_and_memory_is_bounded() {
    let mut generator = DtmfGenerator::new(50, 50, -10.0, -10.0);
    let mut detector = DtmfDetector::new(DtmfGrade::Dialling);
    let mut block = [0.0; 80];
    for n in 0..10_000 {
        if n % 10 == 0 {
            generator.push('3');
        }
        generator.fill(&mut block);
        detector.process(&block, false);
    }
    let events: Vec<_> = std::iter::from_fn(|| detector.poll()).collect();
    assert_eq!(events.len(), 32);
    for pair in events.chunks(2) {
        assert!(matches!(pair[0], DtmfEvent::Pressed { .. }));
        assert!(matches!(pair[1], DtmfEvent::Released { .. }));
    }
}
