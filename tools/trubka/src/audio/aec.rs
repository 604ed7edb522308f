//! `trubka audio aec`: the echo chain of a call on two recordings made at the same time.

use std::fmt::Write as _;
use std::path::Path;

use dsp::delay::DelayFinder;
use dsp::echo::{BLOCK, EchoCanceller};
use dsp::sample::dbm0_of_mean_square;
use dsp::suppressor::{Suppressor, SuppressorConfig};
use serde_json::{Value, json};

use super::error::{AudioError, ErrorKind};
use super::{tenth, wav};

/// Samples in a second.
const SECOND: usize = 8000;
/// Delays from this many samples before the far end are sought (200 ms: recorders start one after the other)...
const EARLIEST: usize = 1600;
/// ...to the end of this range, ms.
const RANGE_MS: u32 = 1200;
/// The filter is given this many samples before the first arrival, 2 ms.
const LEAD: i64 = 16;
/// Two answers this many samples apart are the same, 2 ms.
const STEADY: u64 = 16;
/// The first answers of a long recording take what comes before the echo's strongest part for its beginning now and then.
const UNSETTLED: usize = 5;
/// Less than this share of the microphone's energy taken out by the filter (30 dB less) is no echo: two voices of alike words are
/// alike here and there.
const LEAST_TAKEN: f64 = 0.001;
/// A far end below this is silence: nothing can be said about its echo.
const AUDIBLE_DBM0: f32 = -50.0;

/// What takes the echo out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// The chain of a call.
    Own,
    /// WebRTC's AEC3 as sonora has it, in builds with that feature.
    Sonora,
}

impl Engine {
    /// The engine of this name, if this build has it.
    pub(super) fn named(name: &str) -> Result<Engine, AudioError> {
        match name {
            "sonora" if cfg!(feature = "sonora") => Ok(Engine::Sonora),
            "sonora" => Err(AudioError::new(
                ErrorKind::Usage,
                "this build has no engine sonora".to_owned(),
                "build trubka with --features sonora, or leave out --engine",
            )),
            _ => Ok(Engine::Own),
        }
    }
}

/// What the command line chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    #[cfg_attr(
        not(feature = "sonora"),
        allow(dead_code, reason = "a build with one engine has no choice")
    )]
    pub(super) engine: Engine,
    pub(super) linear_only: bool,
    pub(super) tail_ms: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            engine: Engine::Own,
            linear_only: false,
            tail_ms: 64,
        }
    }
}

/// One second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Second {
    far_dbm0: f32,
    mic_dbm0: f32,
    out_dbm0: f32,
    /// How much lower the output is than the microphone; `None` while the far end is silent.
    pub(super) erle_db: Option<f32>,
}

/// What the chain made of the recordings.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Delay of the echo after the far end, samples; negative when the recordings do not begin together.
    pub(super) delay: Option<i64>,
    /// How far the delay found moves during the recording, samples.
    pub(super) spread: i64,
    /// What was taken out before the filter, samples.
    pub(super) removed: i64,
    pub(super) seconds: Vec<Second>,
    /// Over all seconds with a far end, and over those after the third.
    pub(super) erle_db: Option<f32>,
    pub(super) settled_db: Option<f32>,
    /// As long as the microphone's recording, in step with it.
    pub(super) out: Vec<f32>,
}

/// Takes the echo of `far` out of `mic`, both 8 kHz.
pub(super) fn cancel(far: &[f32], mic: &[f32], options: Options) -> Outcome {
    let (delay, spread) = find_delay(far, mic);
    // A delay that the filter's first taps hold needs no help.
    let removed = match delay {
        Some(delay) if !(0..=2 * LEAD).contains(&delay) => delay - LEAD,
        _ => 0,
    };
    let far: Vec<f32> = (0..mic.len() as i64)
        .map(|n| {
            usize::try_from(n - removed)
                .ok()
                .and_then(|n| far.get(n))
                .copied()
        })
        .map(Option::unwrap_or_default)
        .collect();
    let (out, taken) = filter(&far, mic, options);
    let (delay, spread, removed) = told((delay, spread, removed), taken, energy(mic));
    let seconds: Vec<Second> = (0..mic.len())
        .step_by(SECOND)
        .map(|at| second(part(&far, at), part(mic, at), part(&out, at)))
        .collect();
    Outcome {
        delay,
        spread,
        removed,
        erle_db: overall(mic, &out, &seconds, 0),
        settled_db: overall(mic, &out, &seconds, 3),
        seconds,
        out,
    }
}

/// Delay, its spread and what of it was removed, unless the filter took next to nothing out of a microphone of this energy.
fn told(found: (Option<i64>, i64, i64), taken: Option<f64>, mic: f64) -> (Option<i64>, i64, i64) {
    match taken {
        Some(taken) if taken < LEAST_TAKEN * mic => (None, 0, 0),
        _ => found,
    }
}

fn block(samples: &[f32], at: usize) -> [f32; BLOCK] {
    std::array::from_fn(|i| samples.get(at + i).copied().unwrap_or(0.0))
}

/// The delay in the middle of all that were found, one a second, and how far they lie apart.
fn find_delay(far: &[f32], mic: &[f32]) -> (Option<i64>, i64) {
    let mut finder = DelayFinder::new(RANGE_MS);
    let mut found = Vec::new();
    let end = mic.len().min(far.len()) + EARLIEST;
    let answer = |finder: &DelayFinder| {
        finder
            .find()
            .map(|delay| delay.first as i64 - EARLIEST as i64)
    };
    for (count, at) in (0..end).step_by(BLOCK).enumerate() {
        let late = at
            .checked_sub(EARLIEST)
            .map_or([0.0; BLOCK], |at| block(mic, at));
        finder.process(&block(far, at), &late);
        if count % 100 == 99 {
            found.push(answer(&finder));
        }
    }
    found.push(answer(&finder));
    let mut sure = lasting(&found);
    if sure.len() > 2 * UNSETTLED {
        sure.drain(..UNSETTLED);
    }
    sure.sort_unstable();
    let at = |part: usize| sure.get(sure.len() * part / 10).copied();
    // A single odd answer is no movement.
    let spread = match (at(1), at(9)) {
        (Some(early), Some(late)) => late - early,
        _ => 0,
    };
    (at(5), spread)
}

/// Those answers that the next one confirms: one of them alone is chance, or an echo that has just moved.
fn lasting(found: &[Option<i64>]) -> Vec<i64> {
    found
        .windows(2)
        .filter_map(|pair| match pair {
            [Some(a), Some(b)] if a.abs_diff(*b) <= STEADY => Some(*a),
            _ => None,
        })
        .collect()
}

/// Canceller and suppressor, the delay of the suppressor taken out; and the energy that the canceller's filter took out, where
/// the engine tells.
fn filter(far: &[f32], mic: &[f32], options: Options) -> (Vec<f32>, Option<f64>) {
    #[cfg(feature = "sonora")]
    if options.engine == Engine::Sonora {
        return (with_sonora(far, mic, options.linear_only), None);
    }
    let mut canceller = EchoCanceller::new(options.tail_ms);
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let delay = if options.linear_only {
        0
    } else {
        (Suppressor::DELAY_MS * 8.0) as usize
    };
    let mut out = Vec::with_capacity(mic.len() + 2 * BLOCK);
    let mut taken = 0.0;
    for at in (0..mic.len() + delay).step_by(BLOCK) {
        let before = block(mic, at);
        let mut near = before;
        let report = canceller.process(&block(far, at), &mut near);
        taken += before
            .iter()
            .zip(&near)
            .map(|(before, after)| f64::from(before - after).powi(2))
            .sum::<f64>();
        if !options.linear_only {
            suppressor.process(&mut near, Some(report));
        }
        out.extend(near);
    }
    out.drain(..delay);
    out.truncate(mic.len());
    (out, Some(taken))
}

/// Canceller and, unless `linear_only`, noise suppression of sonora; its canceller has no linear output of its own.
#[cfg(feature = "sonora")]
fn with_sonora(far: &[f32], mic: &[f32], linear_only: bool) -> Vec<f32> {
    use dsp::sonora::SonoraEngine;
    let mut engine = SonoraEngine::new(dsp::Rate::Hz8000, !linear_only);
    let (with, without) = SonoraEngine::DELAY_MS;
    let delay = (8.0 * if linear_only { without } else { with }).round() as usize;
    let mut out = Vec::with_capacity(mic.len() + 4 * BLOCK);
    for at in (0..mic.len() + delay).step_by(BLOCK) {
        let mut near = block(mic, at);
        engine.process(&block(far, at), &mut near);
        out.extend(near);
    }
    out.drain(..delay);
    out.truncate(mic.len());
    out
}

fn part(samples: &[f32], at: usize) -> &[f32] {
    let end = (at + SECOND).min(samples.len());
    samples.get(at..end).unwrap_or_default()
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum()
}

fn dbm0(samples: &[f32]) -> f32 {
    dbm0_of_mean_square((energy(samples) / samples.len().max(1) as f64) as f32)
}

fn second(far: &[f32], mic: &[f32], out: &[f32]) -> Second {
    let (far_dbm0, mic_dbm0, out_dbm0) = (dbm0(far), dbm0(mic), dbm0(out));
    Second {
        far_dbm0,
        mic_dbm0,
        out_dbm0,
        erle_db: (far_dbm0 > AUDIBLE_DBM0).then_some(mic_dbm0 - out_dbm0),
    }
}

fn overall(mic: &[f32], out: &[f32], seconds: &[Second], from: usize) -> Option<f32> {
    let (mut before, mut after) = (0.0, 0.0);
    for (index, _) in seconds
        .iter()
        .enumerate()
        .skip(from)
        .filter(|(_, s)| s.erle_db.is_some())
    {
        before += energy(part(mic, index * SECOND));
        after += energy(part(out, index * SECOND));
    }
    (before > 0.0).then(|| (10.0 * (before / after.max(1e-9)).log10()) as f32)
}

pub(super) fn run(
    far: &Path,
    mic: &Path,
    out: Option<&Path>,
    channel: Option<u16>,
    options: Options,
    json: bool,
) -> Result<String, AudioError> {
    let (far, mic) = (wav::read(far, channel)?, wav::read(mic, channel)?);
    let outcome = cancel(&far, &mic, options);
    if let Some(out) = out {
        wav::write(out, &outcome.out)?;
    }
    if json {
        return Ok(format!("{:#}\n", as_json(&outcome)));
    }
    let ms = |samples: i64| samples as f64 / 8.0;
    let decibels = |value: Option<f32>| value.map_or("   -".to_owned(), |db| format!("{db:.1} dB"));
    let mut text = String::new();
    let _ = match outcome.delay {
        Some(delay) => writeln!(
            text,
            "bulk delay {:.1} ms (moves by {:.1} ms), {:.1} ms taken out before the filter",
            ms(delay),
            ms(outcome.spread),
            ms(outcome.removed)
        ),
        None => writeln!(
            text,
            "no bulk delay found: there is no clear echo of the far end"
        ),
    };
    let _ = writeln!(text, "second     far     mic     out  dBm0    ERLE");
    for (index, second) in outcome.seconds.iter().enumerate() {
        let _ = writeln!(
            text,
            "{index:>6}{:>8.1}{:>8.1}{:>8.1}  {:>12}",
            second.far_dbm0,
            second.mic_dbm0,
            second.out_dbm0,
            decibels(second.erle_db)
        );
    }
    let (all, settled) = (decibels(outcome.erle_db), decibels(outcome.settled_db));
    let _ = writeln!(
        text,
        "all: {all}   after 3 s: {settled}   (speech of the near end lowers it)"
    );
    Ok(text)
}

fn as_json(outcome: &Outcome) -> Value {
    let ms = |samples: i64| tenth(samples as f32 / 8.0);
    let seconds: Vec<Value> = outcome
        .seconds
        .iter()
        .enumerate()
        .map(|(index, second)| {
            json!({
                "t_s": index, "far_dbm0": tenth(second.far_dbm0), "mic_dbm0": tenth(second.mic_dbm0),
                "out_dbm0": tenth(second.out_dbm0), "erle_db": second.erle_db.map(tenth),
            })
        })
        .collect();
    json!({
        "delay_ms": outcome.delay.map(ms),
        "delay_spread_ms": ms(outcome.spread),
        "removed_ms": ms(outcome.removed),
        "erle_db": outcome.erle_db.map(tenth),
        "erle_after_3_s_db": outcome.settled_db.map(tenth),
        "seconds": seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Format, Scratch, babble};
    use super::*;

    /// An echo of a few decaying taps from `delay` on; the rest of `delay` may be negative.
    fn echo(far: &[f32], delay: i64) -> Vec<f32> {
        let at = |n: i64| {
            usize::try_from(n)
                .ok()
                .and_then(|n| far.get(n))
                .copied()
                .unwrap_or(0.0)
        };
        (0..far.len() as i64)
            .map(|n| {
                let tap = |k: i64, gain: f32| gain * at(n - delay - k);
                tap(0, 0.3) + tap(5, 0.15) - tap(17, 0.1) + tap(60, 0.05)
            })
            .collect()
    }

    #[test]
    fn the_second_engine_is_there_or_its_absence_told() {
        if cfg!(feature = "sonora") {
            let far = babble(10 * SECOND, 1);
            let options = Options {
                engine: Engine::named("sonora").unwrap(),
                ..Options::default()
            };
            let outcome = cancel(&far, &echo(&far, 100), options);
            let settled = outcome.settled_db.unwrap();
            assert!(settled > 20.0, "{settled} dB");
        } else {
            let error = Engine::named("sonora").unwrap_err();
            assert!(error.hint.contains("--features sonora"), "{error}");
        }
        assert_eq!(Engine::named("own").unwrap(), Engine::Own);
    }

    #[test]
    fn the_bulk_delay_is_found_and_the_echo_goes() {
        let far = babble(10 * SECOND, 1);
        for delay in [-800, 0, 100, 2400, 7000] {
            let mic = echo(&far, delay);
            for linear_only in [false, true] {
                let options = Options {
                    linear_only,
                    ..Options::default()
                };
                let outcome = cancel(&far, &mic, options);
                assert_eq!(outcome.delay, Some(delay));
                assert_eq!(outcome.spread, 0);
                assert_eq!(outcome.out.len(), mic.len());
                let settled = outcome.settled_db.unwrap();
                assert!(settled > 25.0, "{delay} linear {linear_only}: {settled} dB");
            }
        }
    }

    #[test]
    fn the_near_end_comes_out_in_step() {
        let far = babble(8 * SECOND, 2);
        let near = babble(8 * SECOND, 900);
        let mic: Vec<f32> = echo(&far, 1600)
            .iter()
            .zip(&near)
            .map(|(a, b)| 0.5 * a + b)
            .collect();
        let options = Options {
            linear_only: true,
            ..Options::default()
        };
        let out = cancel(&far, &mic, options).out;
        let late = 4 * SECOND;
        let error: Vec<f32> = out[late..]
            .iter()
            .zip(&near[late..])
            .map(|(a, b)| a - b)
            .collect();
        assert!(
            dbm0(&error) < dbm0(&near[late..]) - 10.0,
            "{}",
            dbm0(&error)
        );
    }

    #[test]
    fn an_echo_that_moves_is_told_and_a_single_odd_answer_is_not() {
        let far = babble(24 * SECOND, 5);
        let (early, late) = (echo(&far, 80), echo(&far, 400));
        let half = 12 * SECOND;
        let moved = [&early[..half], &late[half..]].concat();
        let outcome = cancel(&far, &moved, Options::default());
        assert_eq!(outcome.spread, 320);
        assert!(matches!(outcome.delay, Some(80 | 400)), "{outcome:?}");
        let odd = [Some(7), Some(99), Some(7), Some(7), None, Some(7), Some(8)];
        assert_eq!(lasting(&odd), [7, 7]);
    }

    #[test]
    fn a_delay_of_which_no_filter_takes_anything_out_is_none() {
        let (found, mic) = ((Some(-644), 16, -660), 10.0);
        assert_eq!(told(found, Some(0.009), mic), (None, 0, 0));
        assert_eq!(told(found, Some(0.011), mic), found);
        // An engine that does not tell is believed.
        assert_eq!(told(found, None, mic), found);
    }

    #[test]
    fn without_a_far_end_nothing_is_claimed() {
        let mic = babble(3 * SECOND + 17, 3);
        let outcome = cancel(&[0.0; 100], &mic, Options::default());
        assert_eq!((outcome.delay, outcome.erle_db), (None, None));
        assert!(outcome.seconds.len() == 4 && outcome.out.len() == mic.len());
    }

    #[test]
    fn json_has_a_second_each() {
        let scratch = Scratch::new("aec");
        let far = babble(5 * SECOND, 4);
        let far_file = scratch.wav(
            "far.wav",
            8000,
            1,
            Format::Float,
            std::slice::from_ref(&far),
        );
        let mic_file = scratch.wav("mic.wav", 8000, 1, Format::Int16, &[echo(&far, 2000)]);
        let out_file = scratch.path("out.wav");
        let text = run(
            &far_file,
            &mic_file,
            Some(&out_file),
            None,
            Options::default(),
            true,
        )
        .unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["delay_ms"], 250.0);
        assert_eq!(value["removed_ms"], 248.0);
        assert_eq!(value["seconds"].as_array().unwrap().len(), 5);
        assert!(
            value["seconds"][4]["erle_db"].as_f64().unwrap() > 20.0,
            "{text}"
        );
        assert_eq!(wav::read(&out_file, None).unwrap().len(), far.len());
    }
}
