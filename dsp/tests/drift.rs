//! Two clocks with drift and late calls, under a virtual clock: nothing lost, nothing shaken.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use dsp::drift::Bridge;

/// A clock that is off by so many parts per million and whose calls come late by up to a limit.
struct Side {
    samples: usize,
    ppm: f64,
    late_s: f64,
    calls: u64,
    seed: u64,
}

impl Side {
    fn new(samples: usize, ppm: f64, late_ms: f64, seed: u64) -> Side {
        Side {
            samples,
            ppm,
            late_s: late_ms / 1000.0,
            calls: 0,
            seed,
        }
    }

    /// Seconds of its next call, as it really comes.
    fn due(&self) -> f64 {
        let exact = self.exact();
        let mut x = self.seed ^ self.calls.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 32;
        exact + self.late_s * (x % 1000) as f64 / 1000.0
    }

    fn exact(&self) -> f64 {
        self.calls as f64 * self.samples as f64 / 8000.0 * (1.0 - self.ppm * 1e-6)
    }
}

/// Runs both sides; `hear` takes each block of the reader with its time.
fn run(
    bridge: &mut Bridge,
    writer: &mut Side,
    reader: &mut Side,
    until_s: f64,
    sound: impl Fn(u64) -> f32,
    mut hear: impl FnMut(&Bridge, f64, &[f32]),
) {
    let mut out = vec![0.0; reader.samples];
    while writer.due().min(reader.due()) < until_s {
        if writer.due() <= reader.due() {
            let first = writer.calls * writer.samples as u64;
            let block: Vec<f32> = (0..writer.samples as u64)
                .map(|i| sound(first + i))
                .collect();
            bridge.push(Duration::from_secs_f64(writer.due()), &block);
            writer.calls += 1;
        } else {
            bridge.pull(Duration::from_secs_f64(reader.due()), &mut out);
            hear(bridge, reader.due(), &out);
            reader.calls += 1;
        }
    }
}

fn tone(hz: f64) -> impl Fn(u64) -> f32 {
    move |n| (0.5 * (std::f64::consts::TAU * hz * n as f64 / 8000.0).sin()) as f32
}

/// Signal to everything else of a tone in a block, dB: least squares of sine and cosine.
fn purity_db(samples: &[f32], hz: f64) -> f64 {
    let (mut ss, mut cc, mut sc, mut xs, mut xc, mut xx) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, x) in samples.iter().enumerate() {
        let (s, c) = (std::f64::consts::TAU * hz * n as f64 / 8000.0).sin_cos();
        let x = f64::from(*x);
        ss += s * s;
        cc += c * c;
        sc += s * c;
        xs += x * s;
        xc += x * c;
        xx += x * x;
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / det, (xc * ss - xs * sc) / det);
    let fitted = a * xs + b * xc;
    10.0 * (fitted / (xx - fitted).max(1e-12)).log10()
}

#[test]
fn drift_and_late_calls_cost_no_sample_and_no_purity() {
    for (ppm, writes, late_ms) in [(0.0, 80, 0.0), (150.0, 40, 3.0), (-400.0, 80, 4.0)] {
        let mut bridge = Bridge::new(30);
        let mut writer = Side::new(writes, ppm, late_ms, 1);
        let mut reader = Side::new(80, 0.0, late_ms, 2);
        let mut window: Vec<f32> = Vec::new();
        let (mut worst_db, mut delays) = (f64::INFINITY, (f32::INFINITY, 0.0_f32));
        run(
            &mut bridge,
            &mut writer,
            &mut reader,
            240.0,
            tone(1000.0),
            |bridge, t, out| {
                if t < 40.0 {
                    return;
                }
                let report = bridge.report();
                delays = (delays.0.min(report.delay_ms), delays.1.max(report.delay_ms));
                window.extend(out);
                if window.len() >= 400 {
                    worst_db = worst_db.min(purity_db(&window, 1000.0 * (1.0 + ppm * 1e-6)));
                    window.clear();
                }
            },
        );
        let report = bridge.report();
        assert_eq!((report.underruns, report.jumps), (0, 0), "{ppm} ppm");
        assert!(
            (f64::from(report.drift_ppm) - ppm).abs() < 15.0,
            "{ppm}: {}",
            report.drift_ppm
        );
        assert!(worst_db > 50.0, "{ppm} ppm: {worst_db} dB");
        // The delay stands still: an echo canceller behind it keeps its path.
        assert!(delays.1 - delays.0 < 0.5, "{ppm} ppm: {delays:?} ms");
    }
}

#[test]
fn the_whole_speech_band_passes_and_nothing_else_comes() {
    for hz in [300.0, 1000.0, 2500.0, 3400.0] {
        let mut bridge = Bridge::new(30);
        let mut writer = Side::new(40, 200.0, 0.0, 1);
        let mut reader = Side::new(80, 0.0, 0.0, 2);
        let mut heard = Vec::new();
        run(
            &mut bridge,
            &mut writer,
            &mut reader,
            20.0,
            tone(hz),
            |_, t, out| {
                if t > 15.0 {
                    heard.extend_from_slice(out);
                }
            },
        );
        let windows = heard.chunks_exact(400);
        let worst = windows
            .map(|w| purity_db(w, hz * 1.0002))
            .fold(f64::INFINITY, f64::min);
        assert!(worst > 45.0, "{hz} Hz: {worst} dB");
        let power = heard.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / heard.len() as f64;
        let gain_db = 10.0 * (power / 0.125).log10();
        assert!(gain_db.abs() < 0.3, "{hz} Hz: {gain_db} dB");
    }
}

#[test]
fn a_device_that_stops_is_silence_and_comes_back_by_itself() {
    let mut bridge = Bridge::new(30);
    let mut writer = Side::new(80, 50.0, 1.0, 1);
    let mut reader = Side::new(80, 0.0, 1.0, 2);
    let sound = tone(1000.0);
    run(
        &mut bridge,
        &mut writer,
        &mut reader,
        5.0,
        &sound,
        |_, _, _| {},
    );
    // Two seconds without the writer: silence.
    let mut out = [1.0; 80];
    for _ in 0..200 {
        bridge.pull(Duration::from_secs_f64(reader.due()), &mut out);
        reader.calls += 1;
    }
    assert!(out.iter().all(|x| *x == 0.0));
    // It comes back with what it records now; nothing old is played.
    writer.calls = (reader.due() / 0.01) as u64 + 1;
    let mut back = None;
    run(
        &mut bridge,
        &mut writer,
        &mut reader,
        9.0,
        &sound,
        |_, t, out| {
            if back.is_none() && out.iter().any(|x| x.abs() > 0.4) {
                back = Some(t);
            }
        },
    );
    let after = back.unwrap() - 7.0;
    assert!(after < 0.3, "{after} s");
    let report = bridge.report();
    assert_eq!(report.underruns, 1);
    assert!(report.delay_ms < 60.0, "{report:?}");
    // A reader that stops for a second does not find a second of old sound.
    writer.calls += 100;
    reader.calls += 100;
    let second: Vec<f32> = (0..8000).map(&sound).collect();
    for chunk in second.chunks(80) {
        bridge.push(Duration::from_secs_f64(writer.due()), chunk);
        writer.calls += 1;
    }
    reader.calls = (writer.due() / 0.01) as u64;
    run(
        &mut bridge,
        &mut writer,
        &mut reader,
        13.0,
        &sound,
        |_, _, _| {},
    );
    assert!(bridge.report().delay_ms < 60.0, "{:?}", bridge.report());
}

#[test]
fn too_short_a_delay_grows_until_it_is_enough() {
    let mut bridge = Bridge::new(5);
    let mut writer = Side::new(160, 0.0, 6.0, 1);
    let mut reader = Side::new(80, 0.0, 6.0, 2);
    let mut at_half = 0;
    run(
        &mut bridge,
        &mut writer,
        &mut reader,
        60.0,
        tone(440.0),
        |bridge, t, _| {
            if t < 30.0 {
                at_half = bridge.report().underruns;
            }
        },
    );
    let report = bridge.report();
    assert!(at_half > 0 && report.underruns == at_half, "{report:?}");
    assert!(report.delay_ms < 80.0, "{report:?}");
}

#[test]
fn nonsense_in_is_silence_or_sound_but_never_nonsense_out() {
    let mut bridge = Bridge::new(20);
    let mut out = [0.0; 80];
    let odd = [f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30, -1.0, 0.0];
    for n in 0..2000_u64 {
        let block: Vec<f32> = (0..(n % 97))
            .map(|i| odd[(i % 6) as usize].clamp(-1e6, 1e6))
            .collect();
        bridge.push(Duration::from_millis(n * 7 % 11_000), &block);
        bridge.pull(Duration::from_millis(n * 13 % 9_000), &mut out);
        assert!(out.iter().all(|x| x.is_finite()));
    }
    bridge.pull(Duration::ZERO, &mut []);
    bridge.push(Duration::MAX / 4, &[]);
    bridge.pull(Duration::MAX / 4, &mut out);
    bridge.reset();
    bridge.pull(Duration::from_secs(1), &mut out);
    assert!(out.iter().all(|x| *x == 0.0));
}

#[test]
fn a_device_that_loses_sound_does_not_shake_the_speed() {
    let mut bridge = Bridge::new(30);
    let mut writer = Side::new(80, 100.0, 1.0, 1);
    let mut reader = Side::new(80, 0.0, 1.0, 2);
    let quiet = |_: &Bridge, _: f64, _: &[f32]| {};
    run(
        &mut bridge,
        &mut writer,
        &mut reader,
        60.0,
        tone(500.0),
        quiet,
    );
    let before = bridge.report();
    // Every two seconds 30 ms are lost between the device and us, and the device says so.
    for slip in 1..=10 {
        writer.calls += 3;
        bridge.writer_slipped();
        let until = 60.0 + f64::from(slip) * 2.0;
        run(
            &mut bridge,
            &mut writer,
            &mut reader,
            until,
            tone(500.0),
            quiet,
        );
    }
    let after = bridge.report();
    assert!(
        (after.drift_ppm - before.drift_ppm).abs() < 100.0,
        "{after:?}"
    );
    assert!((after.drift_ppm - 100.0).abs() < 120.0, "{after:?}");
}
