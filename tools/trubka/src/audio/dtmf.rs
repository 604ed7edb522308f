//! `trubka audio dtmf`.

use std::fmt::Write as _;
use std::path::Path;

use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade, extent};
use serde_json::json;

use super::error::AudioError;
use super::{name, tenth, wav};

/// Samples given to the detector at a time.
const BLOCK: usize = 80;
/// The detector is sure of a digit when its newest block holds it: this far back it certainly sounds, samples.
const CERTAINLY_INSIDE: u64 = 102;

/// A digit and where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) digit: char,
    pub(super) t_ms: f32,
    pub(super) duration_ms: f32,
    pub(super) level_dbm0: f32,
    pub(super) twist_db: f32,
}

/// The digits of an 8 kHz recording.
pub(super) fn find(samples: &[f32], grade: DtmfGrade) -> Vec<Found> {
    let mut detector = DtmfDetector::new(grade);
    let mut found: Vec<Found> = Vec::new();
    let mut over = 0;
    // A digit that the recording cuts off is looked at once more with what the detector had not yet filled a block with.
    let end = [0.0; BLOCK];
    for block in samples.chunks(BLOCK).chain([end.as_slice()]) {
        detector.process(block, false);
        while let Some(event) = detector.poll() {
            let DtmfEvent::Pressed {
                digit,
                level_dbm0,
                twist_db,
                at_sample,
            } = event
            else {
                continue;
            };
            let inside = at_sample.saturating_sub(CERTAINLY_INSIDE) as usize;
            let range = extent(samples, digit, inside).unwrap_or(inside..inside);
            let start = range.start.max(over);
            over = range.end.max(start);
            found.push(Found {
                digit,
                t_ms: start as f32 / 8.0,
                duration_ms: (over - start) as f32 / 8.0,
                level_dbm0,
                twist_db,
            });
        }
    }
    found
}

pub(super) fn run(
    file: &Path,
    channel: Option<u16>,
    door: bool,
    json: bool,
) -> Result<String, AudioError> {
    let samples = wav::read(file, channel)?;
    let grade = if door {
        DtmfGrade::Door
    } else {
        DtmfGrade::Dialling
    };
    let found = find(&samples, grade);
    let mut text = String::new();
    if !json {
        let _ = writeln!(text, "{} digit(s) in {}", found.len(), short(file));
        if !found.is_empty() {
            let _ = writeln!(text, "digit   at ms   for ms    dBm0   twist dB");
        }
    }
    for one in &found {
        let _ = if json {
            writeln!(
                text,
                "{}",
                json!({
                    "digit": one.digit, "t_ms": tenth(one.t_ms),
                    "duration_ms": tenth(one.duration_ms),
                    "level_dbm0": tenth(one.level_dbm0), "twist_db": tenth(one.twist_db),
                })
            )
        } else {
            writeln!(
                text,
                "{:>5}{:>8.0}{:>9.0}{:>8.1}{:>11.1}",
                one.digit, one.t_ms, one.duration_ms, one.level_dbm0, one.twist_db
            )
        };
    }
    Ok(text)
}

/// The last part of a file's name, cut so that a line fits the screen.
fn short(file: &Path) -> String {
    let name = file
        .file_name()
        .map_or_else(|| name(file), |n| n.to_string_lossy().into_owned());
    name.chars().take(50).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Format, Scratch, digits};
    use super::*;

    #[test]
    fn every_digit_is_found_at_its_time() {
        for (on_ms, off_ms, grade) in [
            (40, 40, DtmfGrade::Dialling),
            (100, 60, DtmfGrade::Dialling),
            (70, 60, DtmfGrade::Door),
        ] {
            let keys = "1234567890*#ABCD";
            let found = find(&digits(keys, on_ms, off_ms), grade);
            let got: String = found.iter().map(|one| one.digit).collect();
            assert_eq!(got, keys, "{on_ms} ms {grade:?}");
            for (one, at) in found.iter().zip(0_u32..) {
                let begun = 500.0 + (at * (on_ms + off_ms)) as f32;
                assert!((one.t_ms - begun).abs() < 5.0, "{one:?}, begun at {begun}");
                assert!((one.duration_ms - on_ms as f32).abs() < 8.0, "{one:?}");
                assert!((one.level_dbm0 - -7.9).abs() < 0.5, "{one:?}");
                assert!((one.twist_db - 2.0).abs() < 0.5, "{one:?}");
            }
        }
    }

    #[test]
    fn noise_moves_the_times_by_less_than_10_ms() {
        let mut sound = digits("159D0", 80, 80);
        for (slot, noise) in sound
            .iter_mut()
            .zip(super::super::testing::babble(99_999, 5))
        {
            *slot += 0.1 * noise;
        }
        let found = find(&sound, DtmfGrade::Dialling);
        assert_eq!(
            found.iter().map(|one| one.digit).collect::<String>(),
            "159D0"
        );
        for (one, at) in found.iter().zip(0_u16..) {
            assert!(
                (one.t_ms - 500.0 - 160.0 * f32::from(at)).abs() < 10.0,
                "{one:?}"
            );
            assert!((one.duration_ms - 80.0).abs() < 10.0, "{one:?}");
        }
    }

    #[test]
    fn digits_at_the_very_ends_of_a_recording_are_found() {
        let sound = digits("55", 60, 60);
        let from_first_to_last = &sound[4000..4000 + 180 * 8];
        let found = find(from_first_to_last, DtmfGrade::Dialling);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].t_ms < 10.0 && (found[1].duration_ms - 60.0).abs() < 10.0,
            "{found:?}"
        );
    }

    #[test]
    fn json_is_one_object_a_digit_at_every_rate() {
        let scratch = Scratch::new("dtmf-rates");
        for rate in dsp::resample::RECORDING_RATES_HZ {
            let step =
                |hz: f32, n: usize| (std::f32::consts::TAU * hz * n as f32 / rate as f32).sin();
            let sound: Vec<f32> = (0..rate as usize)
                .map(|n| {
                    // A 9 from 300 to 400 ms.
                    let on = (0.3..0.4).contains(&(n as f32 / rate as f32));
                    if on {
                        0.2 * (step(852.0, n) + step(1477.0, n))
                    } else {
                        0.0
                    }
                })
                .collect();
            let file = scratch.wav("nine.wav", rate, 1, Format::Int24, &[sound]);
            let text = run(&file, None, true, true).unwrap();
            let objects: Vec<serde_json::Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(objects.len(), 1, "{rate}: {text}");
            assert_eq!(objects[0]["digit"], "9");
            let number = |key: &str| objects[0][key].as_f64().unwrap();
            assert!((number("t_ms") - 300.0).abs() < 5.0, "{rate}: {text}");
            assert!(
                (number("duration_ms") - 100.0).abs() < 8.0,
                "{rate}: {text}"
            );
            assert!(
                number("twist_db").abs() < 0.3 && number("level_dbm0") > -13.0,
                "{text}"
            );
        }
    }
}
